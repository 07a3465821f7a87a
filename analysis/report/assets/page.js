// Light or dark, then everything else.

const startTheme = () => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  const show = () => {
    button.textContent = isDark() ? "light" : "dark";
    button.setAttribute("aria-label", `show the page ${isDark() ? "light" : "dark"}`);
    redrawCanvases();
  };
  try { if (localStorage.loglogTheme) root.dataset.theme = localStorage.loglogTheme; } catch { /* none for files */ }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.loglogTheme = root.dataset.theme; } catch { /* chosen for this visit alone */ }
    show();
  });
  system.addEventListener("change", show);
  show();
};

startTheme();
startTables();
startPanel();
startCharts();
window.loglogReport = {drawAll, draw, openRun, views};
