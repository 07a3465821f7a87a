// attention_page_test.mjs PAGE [SCREENSHOT]: opens a report of several kinds of attention in headless Chromium and checks
// what a reader would see. Exit status 77: skipped, with the reason printed.
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

const charts = ["attention-loss", "attention-multipliers", "attention-position", "attention-position-difference",
  "attention-rates", "attention-speed", "attention-memory", "curves-tokens", "fit-N", "fit-D", "fit-C"];
const browser = await Browser.launch(program);
const data = name => browser.evaluate(
  `JSON.parse(document.getElementById('report-data').textContent).datasets['${name}']`);
const marks = (id, kind) => browser.evaluate(
  `document.querySelectorAll('#${id} svg .mark-${kind}.role-mark path, #${id} svg .mark-${kind}.role-mark line').length`);
const checks = {
  async "every chart draws marks, in both themes"() {
    for (const scheme of ["light", "dark"]) {
      await browser.call("Emulation.setEmulatedMedia", {features: [{name: "prefers-color-scheme", value: scheme}]});
      await browser.call("Page.navigate", {url: page});
      await browser.waitFor("document.documentElement?.dataset.drawn === 'all'");
      for (const id of charts) {
        assert.ok(await marks(id, "symbol") + await marks(id, "line") > 0, `${id} drew no marks (${scheme})`);
      }
    }
  },

  async "every compared run is a point, every variant a line"() {
    assert.equal(await marks("attention-loss", "symbol"), (await data("attention_points")).length);
    assert.equal(await marks("attention-loss", "line"), 5);
  },

  async "every multiplier has its point and its interval, none on top of another"() {
    const rows = (await data("attention_multipliers")).length;
    assert.equal(await marks("attention-multipliers", "symbol"), rows);
    assert.equal(await marks("attention-multipliers", "rule"), rows + 1);
    const heights = await browser.evaluate(`[...document.querySelectorAll('#attention-multipliers svg .mark-symbol.role-mark path')]
      .map(path => Math.round(path.getBoundingClientRect().y))`);
    assert.equal(new Set(heights).size, rows, heights.join(" "));
  },

  async "colours are the same in all charts"() {
    const legend = id => browser.evaluate(`[...document.querySelectorAll('#${id} svg .role-legend-entry')]
      .map(entry => entry.textContent).join('|')`);
    for (const id of ["attention-loss", "attention-position", "attention-speed"]) {
      assert.match(await legend(id), /dense.*gdn.*window/, id);
    }
  },

  async "hostile labels are shown as text"() {
    assert.equal(await browser.evaluate("document.querySelectorAll('main i').length"), 0);
    assert.ok(await browser.evaluate("document.getElementById('attention-variants').textContent.includes('<i>moba</i>')"));
  },

  async "tables and charts keep to the page's width"() {
    const wide = await browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert.ok(wide <= 0, `${wide} pixels too wide`);
  },

  async "the console stays silent and nothing else was fetched"() {
    assert.deepEqual(browser.consoleLines, []);
    assert.ok(browser.requests.every(url => url.startsWith("data:") || url === page), browser.requests.join(" "));
  },
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
if (process.argv[3]) {
  const {cssContentSize} = await browser.call("Page.getLayoutMetrics");
  const {data: png} = await browser.call("Page.captureScreenshot",
    {captureBeyondViewport: true, clip: {x: 0, y: 0, width: 1200, height: cssContentSize.height, scale: 1}});
  writeFileSync(process.argv[3], Buffer.from(png, "base64"));
}
await browser.close();
process.exit(failed ? 1 : 0);
