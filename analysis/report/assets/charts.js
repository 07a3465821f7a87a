// Draws the charts when they come into view, and offers each one's data and spec.

const report = JSON.parse(document.getElementById("report-data").textContent);
const runInfo = new Map(report.runs.map(run => [run.id, run]));
const chartById = new Map(report.charts.map(chart => [chart.id, chart]));
const views = new Map();  // id -> {view, renderer} of what is drawn

const mostSvgRows = 20000;  // above it a canvas is quicker than as many elements

// Curves travel as columns, which is half the size; charts want rows.
const curveRows = wanted => {
  const rows = [];
  for (const curve of report.curves) {
    if (!wanted(curve)) continue;
    const run = runInfo.get(curve.run) || {};
    for (let i = 0; i < curve.tokens.length; ++i) {
      const tokens = curve.tokens[i];
      rows.push({run: curve.run, kind: curve.kind, size: curve.size, state: curve.state, tokens, loss: curve.loss[i],
                 step: curve.steps ? curve.steps[i] : curve.tokens_per_step ? tokens / curve.tokens_per_step : null,
                 flops: tokens * curve.flops_per_token, seconds: curve.seconds ? curve.seconds[i] : null,
                 N: run.N, D: run.D, C: run.C, final: run.loss});
    }
  }
  return rows;
};
const rowsOf = name => {
  if (name === "curves") return curveRows(() => true);
  if (name === "validation_curves") return curveRows(curve => curve.kind === "validation");
  return report.datasets[name] || [];
};

// The specs name their data; a chart gets the sets it names and no others.
const namesIn = (node, names = new Set()) => {
  if (node && typeof node === "object") {
    if (node.data && typeof node.data.name === "string") names.add(node.data.name);
    for (const child of Object.values(node)) namesIn(child, names);
  }
  return names;
};
const withData = spec => {
  const datasets = {};
  for (const name of namesIn(spec)) datasets[name] = rowsOf(name);
  return Object.assign({}, spec, {datasets});
};

const font = 'system-ui, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif';
const config = {
  background: null, font, padding: 2,
  view: {stroke: null},
  axis: {labelColor: "currentColor", titleColor: "currentColor", domainColor: "currentColor", tickColor: "currentColor",
         gridColor: "#888", gridOpacity: 0.22, labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8,
         domainOpacity: 0.6, tickOpacity: 0.6},
  legend: {labelColor: "currentColor", titleColor: "currentColor", labelFontSize: 11, titleFontSize: 11, titleFontWeight: 500,
           labelLimit: 260, symbolOpacity: 1},
  title: {color: "currentColor"}
};

const embed = (place, spec) => {
  const rows = Object.values(spec.datasets).reduce((sum, set) => sum + set.length, 0);
  const renderer = rows > mostSvgRows ? "canvas" : "svg";
  return vegaEmbed(place, Object.assign({}, spec, {config}), {renderer, actions: false, tooltip: {theme: "custom"}})
    .then(result => {
      result.view.addEventListener("click", (event, item) => {
        if (item && item.datum && runInfo.has(item.datum.run)) openRun(item.datum.run);
      });
      return {view: result.view, renderer};
    });
};

const save = (name, text, type) => saveUrl(name, URL.createObjectURL(new Blob([text], {type})));
const saveUrl = (name, url) => {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 10000);
};

// One table of all sets that a chart draws; the first column says which.
const chartCsv = spec => {
  const quoted = value => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  const sets = Object.entries(withData(spec).datasets);
  const columns = new Set();
  for (const [, rows] of sets) for (const row of rows) for (const key of Object.keys(row)) columns.add(key);
  const names = [...columns];
  const lines = [["set", ...names].join(",")];
  for (const [set, rows] of sets) {
    for (const row of rows) lines.push([set, ...names.map(name => quoted(row[name]))].join(","));
  }
  return lines.join("\n") + "\n";
};

const toolsOf = chart => {
  const tools = document.createElement("div");
  tools.className = "tools";
  const add = (label, title, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.title = title;
    button.setAttribute("aria-label", `${title} of chart ${chart.id}`);
    button.dataset.saves = label.toLowerCase();
    button.addEventListener("click", action);
    tools.append(button);
  };
  const image = type => async () => {
    await draw(chart.id);
    saveUrl(`${chart.id}.${type}`, await views.get(chart.id).view.toImageURL(type, type === "png" ? 2 : 1));
  };
  add("CSV", "save the data", () => save(chart.id + ".csv", chartCsv(chart.spec), "text/csv"));
  add("spec", "save the Vega-Lite specification", () =>
    save(chart.id + ".vl.json", JSON.stringify(Object.assign(withData(chart.spec), {config}), null, 1), "application/json"));
  add("SVG", "save as SVG", image("svg"));
  add("PNG", "save as PNG", image("png"));
  return tools;
};

const pending = new Map();  // id -> promise of the drawing
const draw = id => {
  if (!pending.has(id)) {
    const place = document.getElementById(id);
    pending.set(id, embed(place.querySelector(".drawing"), withData(chartById.get(id).spec)).then(drawn => {
      views.set(id, drawn);
      place.dataset.drawn = "yes";
      place.style.minHeight = "";
    }));
  }
  return pending.get(id);
};
const isShown = id => !document.getElementById(id).hidden;
const undrawn = () => report.charts.map(chart => chart.id).filter(id => isShown(id) && !pending.has(id));

const drawAll = async () => {
  for (const id of undrawn()) await draw(id);
  await Promise.all(pending.values());
  document.documentElement.dataset.drawn = "all";
};
// What is not in view is drawn while nothing else happens, so that printing and searching find it.
const drawWhenIdle = () => {
  const later = window.requestIdleCallback || (work => setTimeout(work, 50));
  const next = async () => {
    const [id] = undrawn();
    if (id === undefined) return drawAll();
    await draw(id);
    later(next);
  };
  later(next);
};
// A canvas keeps the colours that it was drawn with.
const redrawCanvases = () => {
  for (const {view, renderer} of views.values()) if (renderer === "canvas") view.resize().runAsync();
};

const startCharts = () => {
  for (const chart of report.charts) {
    const place = document.getElementById(chart.id);
    place.prepend(toolsOf(chart));
  }
  for (const input of document.querySelectorAll(".switch input")) {
    input.addEventListener("change", () => {
      for (const other of document.getElementsByName(input.name)) {
        document.getElementById(other.value).hidden = !other.checked;
      }
      draw(input.value);
    });
  }
  addEventListener("beforeprint", drawAll);
  if (location.hash === "#draw-all") { drawAll(); return; }
  const watcher = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting && isShown(entry.target.id)) draw(entry.target.id);
  }, {rootMargin: "300px"});
  for (const chart of report.charts) watcher.observe(document.getElementById(chart.id));
  if (document.readyState === "complete") drawWhenIdle(); else addEventListener("load", drawWhenIdle);
};
