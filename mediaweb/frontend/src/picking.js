// Ticks of the gallery: one, a stretch, all that match; and what is done to them together.
import { removeEmptyDays } from "./gallery.js";
import { page, sure } from "./sure.js";

const form = document.getElementById("selection");
const gallery = document.getElementById("gallery");
const ticks = () => [...gallery.querySelectorAll("input[name=ids]")];
let last = null; // the tick that a stretch begins at
let stretching = false; // whether Shift is held

function count() {
  const some = ticks().filter((tick) => tick.checked).length;
  gallery.classList.toggle("picking", some > 0);
  form.classList.toggle("some", some > 0);
  const text = form.scope.checked ? form.dataset.all : form.dataset.some.replace("COUNT", some);
  if (some && form.querySelector("output").textContent !== text) form.querySelector("output").textContent = text;
}

function ticked(tick) {
  const all = ticks();
  const [from, to] = [all.findIndex((other) => other.value === last), all.indexOf(tick)].sort((a, b) => a - b);
  if (stretching && from >= 0) for (const other of all.slice(from, to + 1)) other.checked = tick.checked;
  if (!tick.checked) form.scope.checked = false;
  last = tick.value;
  count();
}

function tickAll(checked) {
  for (const tick of ticks()) tick.checked = checked;
  if (!checked) form.scope.checked = false;
  count();
}

// While some are ticked, a card is ticked by a click on any part of it.
function pick(event) {
  const link = event.target.closest(".card > a");
  if (!link || event.ctrlKey || event.metaKey || !(event.shiftKey || form.classList.contains("some"))) return;
  event.preventDefault();
  event.stopPropagation();
  link.parentElement.querySelector("input[name=ids]").click();
}

async function remove(event) {
  if (form.scope.checked) return undefined; // more than this page shows: it is loaded anew
  event.preventDefault();
  event.submitter.disabled = true;
  const answer = await fetch(event.target.action, { method: "POST", body: new FormData(event.target) });
  if (!answer.ok) return void location.reload();
  for (const tick of ticks()) if (tick.checked) tick.closest(".card").remove();
  removeEmptyDays();
  count();
  sure.hidePopover();
  document.querySelector(".messages")?.remove();
  const said = (await page(answer)).querySelector(".messages");
  if (said) document.getElementById("content").before(document.importNode(said, true));
  return undefined;
}

function follow() {
  gallery.addEventListener("pointerdown", (event) => { stretching = event.shiftKey; });
  gallery.addEventListener("click", pick, true);
  gallery.addEventListener("change", ({ target }) => target.name === "ids" && ticked(target));
  form.scope.addEventListener("change", () => tickAll(form.scope.checked));
  form.querySelector("[data-clear]").addEventListener("click", () => tickAll(false));
  sure.addEventListener("submit", remove);
  document.addEventListener("keydown", (event) => {
    stretching = event.shiftKey;
    if (event.key === "Escape" && !sure.matches(":popover-open") && !document.querySelector("dialog[open]")) tickAll(false);
  });
  document.addEventListener("htmx:afterSettle", () => form.scope.checked && tickAll(true));
  document.addEventListener("placed", count);
  count();
}

if (form) follow();
