// report_page_test.mjs PAGE: opens a written report in headless Chromium and checks what a reader would see.
// Exit status 77: skipped, with the reason printed.
import assert from "node:assert/strict";
import {resolve} from "node:path";
import {pathToFileURL} from "node:url";
import {Browser, findChromium} from "./browser.mjs";

const page = pathToFileURL(resolve(process.argv[2])).href;
const program = findChromium();
if (!program) {
  console.log("skipped: chromium is not installed (Debian: apt-get install chromium)");
  process.exit(77);
}

const charts = ["curves-tokens", "curves-flops", "fit-N", "residual-N", "fit-D", "residual-D", "fit-C", "residual-C", "surface"];
const browser = await Browser.launch(program);
const checks = {
  async "every chart draws marks, in both themes"() {
    for (const scheme of ["light", "dark"]) {
      await browser.call("Emulation.setEmulatedMedia", {features: [{name: "prefers-color-scheme", value: scheme}]});
      await browser.call("Page.navigate", {url: page});
      await browser.waitFor("document.documentElement?.dataset.drawn === 'all'");
      for (const id of charts) {
        const marks = await browser.evaluate(`document.querySelectorAll(
          '#${id} svg .mark-symbol.role-mark path, #${id} svg .mark-line.role-mark path').length`);
        assert.ok(marks > 0, `${id} drew no marks (${scheme})`);
      }
      const paper = await browser.evaluate("getComputedStyle(document.documentElement).backgroundColor");
      const light = Number(paper.match(/\d+/)[0]) > 127;
      assert.equal(light, scheme === "light", `background ${paper} in the ${scheme} theme`);
    }
  },

  async "points that enter the fit are filled, one mark a run"() {
    const runs = await browser.evaluate("JSON.parse(document.getElementById('report-data').textContent).datasets.runs.length");
    const drawn = await browser.evaluate("document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path').length");
    assert.equal(drawn, runs);
    const filled = await browser.evaluate(`[...document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path')]
      .filter(path => path.getAttribute('fill') !== 'transparent').length`);
    assert.ok(filled > 0 && filled < runs, `${filled} of ${runs} filled`);
  },

  async "nothing was fetched but the page itself"() {
    const foreign = browser.requests.filter(url => !url.startsWith("file:") && !url.startsWith("data:"));
    assert.deepEqual(foreign, []);
    assert.ok(browser.requests.every(url => url.startsWith("data:") || url === page), browser.requests.join(" "));
  },

  async "pointing at a run names it"() {
    const {x, y} = await browser.evaluate(`(() => {
      const mark = [...document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path')].at(-1);
      mark.scrollIntoView({block: 'center'});
      const box = mark.getBoundingClientRect();
      return {x: box.x + box.width / 2, y: box.y + box.height / 2};
    })()`);
    await browser.movePointer(x + 30, y + 30);
    await browser.movePointer(x, y);
    await browser.waitFor("document.querySelector('#vg-tooltip-element.visible') !== null", 5000);
    const text = await browser.evaluate("document.querySelector('#vg-tooltip-element').textContent");
    assert.match(text, /run-\d\d/);
  },

  async "a click on a heading sorts the table of runs"() {
    const losses = () => browser.evaluate(`(() => {
      const table = document.getElementById('runs');
      const column = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === 'val loss');
      table.tHead.rows[0].cells[column].click();
      return [...table.tBodies[0].rows].map(row => row.cells[column].textContent).filter(text => text).map(Number);
    })()`);
    const ascending = await losses();
    const descending = await losses();
    assert.ok(ascending.length > 3);
    assert.deepEqual(ascending, [...ascending].sort((a, b) => a - b));
    assert.deepEqual(descending, [...ascending].reverse());
  },

  async "the search keeps the rows that hold its words"() {
    const shown = await browser.evaluate(`(() => {
      const search = document.querySelector('input[data-filters=runs]');
      search.value = 'diverged';
      search.dispatchEvent(new Event('input'));
      const rows = [...document.getElementById('runs').tBodies[0].rows].filter(row => !row.hidden);
      return rows.map(row => row.textContent.includes('diverged'));
    })()`);
    assert.ok(shown.length > 0 && shown.every(Boolean), JSON.stringify(shown));
  },

  async "hostile names are shown as text"() {
    assert.equal(await browser.evaluate("document.querySelector('h1').textContent"), "Report </script><b>of</b> & \"all\"");
    assert.equal(await browser.evaluate("document.querySelectorAll('main b b, h1 b').length"), 0);
  },

  async "the console stays silent"() { assert.deepEqual(browser.consoleLines, []); },
};

let failed = 0;
for (const [claim, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${claim}`);
  } catch (error) {
    ++failed;
    console.log(`FAILED  ${claim}\n        ${error.message}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
