// Tables of class "sortable" sort by their headings and get a search box.

const cellValue = (row, column) => {
  const cell = row.cells[column];
  const value = cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
  const number = Number(value);
  return value !== "" && value !== "-" && !Number.isNaN(number) ? number : value === "-" ? "" : value;
};

const sortBy = (table, column) => {
  const heads = [...table.tHead.rows[0].cells];
  const up = heads[column].getAttribute("aria-sort") !== "ascending";
  for (const head of heads) head.setAttribute("aria-sort", "none");
  heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  const compare = ([x], [y]) => {
    if (x === "" || y === "") return x === y ? 0 : x === "" ? 1 : -1;  // what is not known comes last
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return up ? order : -order;
  };
  const rows = [...table.tBodies[0].rows].map(row => [cellValue(row, column), row]);
  table.tBodies[0].append(...rows.sort(compare).map(([, row]) => row));
};

const addSearch = table => {
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map(row => row.textContent.toLowerCase());
  const box = document.createElement("div");
  box.className = "search";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "search this table";
  input.setAttribute("aria-label", "search the table " + (table.getAttribute("aria-label") || table.id));
  input.dataset.filters = table.id;
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !words.every(word => texts[i].includes(word));
      shown += !row.hidden;
    });
    count.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
  };
  input.addEventListener("input", show);
  box.append(input, count);
  table.parentElement.before(box);
  show();
};

const startTables = () => {
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, column));
      head.setAttribute("aria-sort", "none");
      head.replaceChildren(button);
    });
    addSearch(table);
  }
};
