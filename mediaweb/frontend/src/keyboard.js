// One key each; never while somebody writes.

const ROWS = ".card, .row[data-original-id], .run";

function step(by) {
  const rows = [...document.querySelectorAll(ROWS)];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(here + by, 0), rows.length - 1)];
  next?.querySelector("a:not([tabindex])")?.focus();
}

function tick(row) {
  row?.querySelector("input[name=run], input[name=ids]")?.click();
}

function retry(row) {
  const button = row?.querySelector("form[action$=retry] button, button[data-retry]");
  (button ?? document.querySelector("main .actions button[data-retry]"))?.click();
}

const KEYS = {
  "/": () => document.getElementById("search")?.focus(),
  "?": () => document.getElementById("help").togglePopover(),
  j: () => step(1),
  k: () => step(-1),
  x: (row) => tick(row),
  X: (row) => tick(row), // and all since the last
  r: (row) => retry(row),
  u: () => document.querySelector("#choose input")?.click(),
  ArrowLeft: () => document.querySelector(".neighbours [rel=prev]")?.click(),
  ArrowRight: () => document.querySelector(".neighbours [rel=next]")?.click(),
};

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input:not([type=checkbox]), textarea, select, video, media-controller, [contenteditable]");
  if (event.key === "Escape" && writing) writing.blur();
  if (writing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](document.activeElement.closest(ROWS));
});
