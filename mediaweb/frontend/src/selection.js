// Ticks of the desk: all of the page at once, and how many there are.

const bulk = document.getElementById("bulk");
const ticks = () => [...document.querySelectorAll("#rows input[name=run]")];

function count() {
  if (!bulk) return;
  const some = ticks().filter((tick) => tick.checked).length;
  const label = document.getElementById("selected");
  label.textContent = some ? label.dataset.some.replace("COUNT", some) : label.dataset.none;
  bulk.classList.toggle("some", some > 0);
  const all = document.getElementById("select-all");
  all.checked = some > 0 && some === ticks().length;
  all.indeterminate = some > 0 && !all.checked;
}

document.addEventListener("change", (event) => {
  if (event.target.id === "select-all") for (const tick of ticks()) tick.checked = event.target.checked;
  if (event.target.matches("#select-all, #rows input[name=run]")) count();
});
