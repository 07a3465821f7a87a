// report_page_test.mjs PAGE [SCREENSHOT_STEM]: opens a written report in headless Chromium and checks what a reader would
// see; STEM-light.png, STEM-dark.png and STEM-print.png are for looking at. Exit status 77: skipped, with the reason printed.
import assert from "node:assert/strict";
import {writeFileSync} from "node:fs";
import {resolve} from "node:path";
import {pathToFileURL} from "node:url";
import {Browser, findChromium} from "./browser.mjs";

const page = pathToFileURL(resolve(process.argv[2])).href;
const program = findChromium();
if (!program) {
  console.log("skipped: chromium is not installed (Debian: apt-get install chromium)");
  process.exit(77);
}

const charts = ["curves-tokens", "fit-N", "residual-N", "fit-D", "residual-D", "fit-C", "residual-C", "surface",
  "residual-surface", "isoflop", "frontier-N", "frontier-D", "frontier-loss", "contour", "learning-rates", "probes", "timeline"];
const switched = ["curves-step", "curves-flops", "curves-seconds"];
const browser = await Browser.launch(program);
const evaluate = expression => browser.evaluate(expression);
const open = async scheme => {
  await browser.call("Emulation.setEmulatedMedia", {media: "", features: [{name: "prefers-color-scheme", value: scheme}]});
  await browser.call("Page.navigate", {url: page});
  await browser.waitFor("document.documentElement?.dataset.drawn === 'all'");
};
const marksOf = id => `document.querySelectorAll('#${id} svg .mark-symbol.role-mark path, #${id} svg .mark-line.role-mark path,'
  + '#${id} svg .mark-rect.role-mark path').length`;
const paperIsLight = async () =>
  Number((await evaluate("getComputedStyle(document.documentElement).backgroundColor")).match(/\d+/)[0]) > 127;
// The middle of what `expression` gives, scrolled into view.
const placeOf = expression => evaluate(`(() => {
  const mark = ${expression};
  mark.scrollIntoView({block: 'center'});
  const box = mark.getBoundingClientRect();
  return {x: box.x + box.width / 2, y: box.y + box.height / 2};
})()`);
const pointAt = async expression => {
  const {x, y} = await placeOf(expression);
  await browser.movePointer(x + 30, y + 30);
  await browser.movePointer(x, y);
  return {x, y};
};
const click = async expression => {
  const {x, y} = await pointAt(expression);
  for (const type of ["mousePressed", "mouseReleased"]) {
    await browser.call("Input.dispatchMouseEvent", {type, x, y, button: "left", clickCount: 1});
  }
};
const screenshot = async name => {
  if (!process.argv[3]) return;
  const {cssContentSize} = await browser.call("Page.getLayoutMetrics");
  const {data} = await browser.call("Page.captureScreenshot",
    {captureBeyondViewport: true, clip: {x: 0, y: 0, width: 1200, height: cssContentSize.height, scale: 1}});
  writeFileSync(`${process.argv[3]}-${name}.png`, Buffer.from(data, "base64"));
};

const checks = {
  async "what is out of view is not drawn at once"() {
    await browser.call("Page.addScriptToEvaluateOnNewDocument", {source: "window.requestIdleCallback = work => { window.idleWork = work; };"})
      .then(async ({identifier}) => {
        await browser.call("Page.navigate", {url: page});
        await browser.waitFor("window.idleWork && document.getElementById('timeline')");
        assert.equal(await evaluate("document.getElementById('timeline').dataset.drawn"), undefined);
        await evaluate("document.getElementById('timeline').scrollIntoView()");
        await browser.waitFor("document.getElementById('timeline').dataset.drawn === 'yes'");
        await browser.call("Page.removeScriptToEvaluateOnNewDocument", {identifier});
      });
  },

  async "every chart draws marks, in both themes"() {
    for (const scheme of ["light", "dark"]) {
      await open(scheme);
      for (const id of charts) assert.ok(await evaluate(marksOf(id)) > 0, `${id} drew no marks (${scheme})`);
      assert.equal(await paperIsLight(), scheme === "light", `paper in the ${scheme} theme`);
      await screenshot(scheme);
    }
  },

  async "the button turns the page light and back"() {
    await evaluate("document.getElementById('theme').click()");
    assert.ok(await paperIsLight());
    await evaluate("document.getElementById('theme').click()");
    assert.ok(!await paperIsLight());
    await evaluate("document.getElementById('theme').click()");
  },

  async "the switch of the loss curves draws each axis, one at a time"() {
    for (const id of switched) {
      await evaluate(`document.querySelector('input[value=${id}]').click()`);
      await browser.waitFor(`document.getElementById('${id}').dataset.drawn === 'yes'`);
      assert.ok(await evaluate(marksOf(id)) > 0, id);
      assert.equal(await evaluate("[...document.querySelectorAll('[id^=curves-]')].filter(place => !place.hidden).length"), 1);
    }
    await evaluate("document.querySelector('input[value=curves-tokens]').click()");
  },

  async "points that enter the fit are filled, one mark a run"() {
    const runs = await evaluate("JSON.parse(document.getElementById('report-data').textContent).datasets.runs.length");
    const drawn = await evaluate("document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path').length");
    assert.equal(drawn, runs);
    const filled = await evaluate(`[...document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path')]
      .filter(path => path.getAttribute('fill') !== 'transparent').length`);
    assert.ok(filled > 0 && filled < runs, `${filled} of ${runs} filled`);
  },

  async "every chart is described to those who do not see it"() {
    for (const id of charts) {
      const label = await evaluate(`document.querySelector('#${id} [role=graphics-document]').getAttribute('aria-label') || ''`);
      assert.ok(label.length > 20, `${id}: '${label}'`);
    }
  },

  async "pointing at a run names it, its size, tokens and loss"() {
    await pointAt("[...document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path')][2]");
    await browser.waitFor("document.querySelector('#vg-tooltip-element.visible') !== null", 5000);
    const text = await evaluate("document.querySelector('#vg-tooltip-element').textContent");
    assert.match(text, /run-\d\d/);
    for (const name of ["N", "D", "loss"]) assert.ok(text.includes(name), `${name} is not in ${text}`);
  },

  async "a click on a run's mark shows its specification and its own curve"() {
    await click("[...document.querySelectorAll('#fit-N svg .mark-symbol.role-mark path')][2]");
    await browser.waitFor("!document.getElementById('run-panel').hidden", 5000);
    await browser.waitFor("document.querySelector('#run-curve[data-drawn] svg .mark-line path') !== null", 5000);
    const text = await evaluate("document.getElementById('run-panel').textContent");
    assert.match(text, /run-\d\d/);
    assert.match(text, /"kind": "adamw"/);
    await screenshot("panel");
    await browser.call("Input.dispatchKeyEvent", {type: "keyDown", key: "Escape", code: "Escape", windowsVirtualKeyCode: 27});
    assert.ok(await evaluate("document.getElementById('run-panel').hidden"));
  },

  async "a run's id in the table opens the panel too"() {
    await evaluate("[...document.querySelectorAll('#runs button.run')].find(button => button.textContent === 'run-05').click()");
    const text = await evaluate("document.getElementById('run-panel').textContent");
    assert.match(text, /run-05.*diverged.*loss is NaN at step 17/s);
    await evaluate("document.querySelector('#run-panel button').click()");
  },

  async "a click in the legend keeps its series, a second one shows all again"() {
    const before = await evaluate(marksOf("isoflop"));
    const entry = "document.querySelector('#isoflop svg .role-legend-label text, #isoflop svg .role-legend-symbol path')";
    await click(entry);
    await browser.waitFor(`${marksOf("isoflop")} < ${before}`, 5000);
    assert.ok(await evaluate(marksOf("isoflop")) > 0);
    await click(entry);
    await browser.waitFor(`${marksOf("isoflop")} === ${before}`, 5000);
  },

  async "every chart offers its data and its spec"() {
    await evaluate(`window.saved = []; URL.createObjectURL = blob => { blob.text().then(text => saved.push(text)); return 'data:,'; };
      HTMLAnchorElement.prototype.click = function() {};`);
    for (const id of charts) {
      await evaluate(`saved.length = 0; document.querySelector('#${id} [data-saves=csv]').click();
        document.querySelector('#${id} [data-saves=spec]').click();`);
      await browser.waitFor("saved.length === 2", 5000);
      const [csv, spec] = await evaluate("saved");
      assert.match(csv, /^set,/, id);
      assert.ok(csv.split("\n").length > 3, `${id}: ${csv.slice(0, 80)}`);
      assert.match(JSON.parse(spec).$schema, /vega-lite/);
      assert.ok(Object.values(JSON.parse(spec).datasets).some(rows => rows.length > 0), id);
    }
  },

  async "a click on a heading sorts the table of runs and says so"() {
    const losses = () => evaluate(`(() => {
      const table = document.getElementById('runs');
      const column = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === 'val loss');
      const head = table.tHead.rows[0].cells[column];
      head.querySelector('button').click();
      const values = [...table.tBodies[0].rows].map(row => row.cells[column].textContent).filter(text => text).map(Number);
      return [head.getAttribute('aria-sort'), values];
    })()`);
    const [up, ascending] = await losses();
    const [down, descending] = await losses();
    assert.ok(ascending.length > 3);
    assert.deepEqual([up, down], ["ascending", "descending"]);
    assert.deepEqual(ascending, [...ascending].sort((a, b) => a - b));
    assert.deepEqual(descending, [...ascending].reverse());
  },

  async "the search keeps the rows that hold its words, and counts them"() {
    const shown = await evaluate(`(() => {
      const search = document.querySelector('input[data-filters=runs]');
      search.value = 'diverged';
      search.dispatchEvent(new Event('input'));
      const rows = [...document.getElementById('runs').tBodies[0].rows].filter(row => !row.hidden);
      return [search.parentElement.textContent, ...rows.map(row => row.textContent.includes('diverged'))];
    })()`);
    assert.match(shown[0], /1 of \d+ rows/);
    assert.deepEqual(shown.slice(1), [true]);
  },

  async "the page keeps to the window's width"() {
    const wide = await evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert.ok(wide <= 0, `${wide} pixels too wide`);
  },

  async "paper gets a light page without buttons, every chart on it whole"() {
    await evaluate("document.documentElement.dataset.theme = 'dark'");
    await browser.call("Emulation.setEmulatedMedia", {media: "print", features: [{name: "prefers-color-scheme", value: "dark"}]});
    assert.ok(await paperIsLight());
    for (const selector of ["nav", ".tools", ".search", ".switch"]) {
      assert.equal(await evaluate(`getComputedStyle(document.querySelector('${selector}')).display`), "none", selector);
    }
    const cut = await evaluate(`[...document.querySelectorAll('.chart:not([hidden]) svg')]
      .filter(svg => svg.getBoundingClientRect().right > document.documentElement.clientWidth + 1).length`);
    assert.equal(cut, 0);
    assert.equal(await evaluate("getComputedStyle(document.querySelector('figure')).breakInside"), "avoid");
    await screenshot("print");
    const {data} = await browser.call("Page.printToPDF", {printBackground: true});
    assert.ok(Buffer.from(data, "base64").subarray(0, 5).toString() === "%PDF-");
    if (process.argv[3]) writeFileSync(`${process.argv[3]}.pdf`, Buffer.from(data, "base64"));
    await evaluate("delete document.documentElement.dataset.theme");
    await browser.call("Emulation.setEmulatedMedia", {media: "", features: []});
  },

  async "hostile names are shown as text"() {
    assert.equal(await evaluate("document.querySelector('h1').textContent"), "Report </script><b>of</b> & \"all\"");
    assert.equal(await evaluate("document.querySelectorAll('main b b, h1 b').length"), 0);
  },

  async "nothing was fetched but the page itself"() {
    assert.ok(browser.requests.every(url => url.startsWith("data:") || url === page), browser.requests.join(" "));
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
