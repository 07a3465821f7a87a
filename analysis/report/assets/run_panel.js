// The panel that shows one run: what it is, its own curve, its specification.

const panel = document.getElementById("run-panel");
let openedFrom = null;  // what had the focus before

const element = (tag, text, attributes = {}) => {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};
const shownNumber = value => {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
};
const factsOf = entries => {
  const list = element("dl", null, {class: "facts"});
  for (const [name, value] of entries) {
    if (value === null || value === undefined || value === "") continue;
    list.append(element("dt", name), element("dd", typeof value === "object" ? JSON.stringify(value) : shownNumber(value)));
  }
  return list;
};

// The specifications travel as what most runs share and what each has of its own, by dotted path.
const specOf = run => {
  const values = Object.assign({}, report.specs.common, report.specs.own[run.id] || {});
  for (const [path, value] of Object.entries(values)) if (value === null) delete values[path];
  return values;
};
const nested = values => {
  const root = {};
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split(".");
    let node = root;
    for (const key of keys.slice(0, -1)) node = node[key] = typeof node[key] === "object" ? node[key] : {};
    node[keys.at(-1)] = value;
  }
  return root;
};

const runCurveSpec = rows => ({
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  width: "container", height: 210, autosize: {type: "fit-x", contains: "padding"},
  description: "Training and validation loss of this run against training tokens, logarithmic axes",
  datasets: {run_curve: rows}, data: {name: "run_curve"},
  mark: {type: "line", strokeWidth: 1.6, point: {size: 12, filled: true}},
  encoding: {
    x: {field: "tokens", type: "quantitative", title: "training tokens", scale: {type: "log", nice: false},
        axis: {format: "~s", tickCount: 4, labelOverlap: "greedy"}},
    y: {field: "loss", type: "quantitative", title: "loss, nats per token", scale: {type: "log", nice: false, padding: 6},
        axis: {format: "~g", tickCount: 5}},
    color: {field: "kind", type: "nominal", title: null, legend: {orient: "top"},
            scale: {domain: ["train", "validation"], range: ["#8A8F96", "#2F7FBF"]}},
    tooltip: [{field: "kind"}, {field: "tokens", type: "quantitative", format: ".4s"},
              {field: "loss", type: "quantitative", format: ".4f"}]
  }
});

function closeRun() {
  panel.hidden = true;
  panel.replaceChildren();
  if (openedFrom && openedFrom.isConnected) openedFrom.focus();
  openedFrom = null;
}

function openRun(id) {
  const run = runInfo.get(id);
  if (!run) return;
  if (panel.hidden) openedFrom = document.activeElement;
  const close = element("button", "close", {type: "button", "aria-label": "close the run's panel"});
  close.addEventListener("click", closeRun);
  const head = element("header");
  head.append(element("h2", run.id, {id: "run-panel-title"}), close);
  panel.replaceChildren(head);
  if (run.name) panel.append(element("p", run.name, {class: "note"}));

  const {id: ignored, name, ...facts} = run;
  panel.append(factsOf(Object.entries(facts)));

  const rows = curveRows(curve => curve.run === id);
  if (rows.length > 0) {
    panel.append(element("h3", "Loss"));
    const place = element("div", null, {class: "drawing", id: "run-curve"});
    panel.append(place);
    embed(place, runCurveSpec(rows)).then(() => { place.dataset.drawn = "yes"; });
  }
  const own = Object.entries(report.specs.own[id] || {}).filter(([, value]) => value !== null);
  if (own.length > 0) panel.append(element("h3", "Not as most runs of the page"), factsOf(own));
  const spec = specOf(run);
  if (Object.keys(spec).length > 0) {
    const details = element("details");
    details.append(element("summary", "The whole specification"), element("pre", JSON.stringify(nested(spec), null, 1)));
    panel.append(element("h3", "Specification"), details);
  }
  panel.hidden = false;
  panel.scrollTop = 0;
  close.focus({preventScroll: true});
}

const startPanel = () => {
  addEventListener("keydown", event => { if (event.key === "Escape" && !panel.hidden) closeRun(); });
  for (const button of document.querySelectorAll("button.run")) {
    button.addEventListener("click", () => openRun(button.textContent));
  }
};
