// The quality menu: what can be chosen, what is chosen, and what is still being made and how far it is.

export function drawQualities(film, controller) {
  const menu = controller.querySelector("#quality");
  const said = film.video.closest("#stage").querySelector("#controls").dataset;
  const { chosen } = film;
  const items = film.qualities.map((quality) => item(quality.value, nameOf(quality, said), quality.value === chosen));
  const awaited = film.streaming ? [] : film.awaited;
  const made = new Set(film.qualities.filter(({ preset }) => preset !== "source").map(({ lines }) => lines));
  for (const lines of awaited) if (!made.has(lines)) items.push(beingMade(lines, film.progress, said));
  for (const old of menu.querySelectorAll("media-chrome-menu-item")) old.remove();
  menu.append(...items);
  const { videoWidth, videoHeight } = film.video;
  controller.querySelector(".quality-now").textContent = videoWidth ? `${Math.min(videoWidth, videoHeight)}p` : "";
}

function nameOf({ lines, preset }, said) {
  if (lines === null) return said.auto;
  return preset === "source" ? `${said.original} · ${lines}p` : `${lines}p`;
}

function item(value, text, checked) {
  const entry = document.createElement("media-chrome-menu-item");
  entry.type = "radio";
  entry.value = value;
  entry.checked = checked;
  entry.textContent = text;
  return entry;
}

function beingMade(lines, progress, said) {
  const entry = item("", `${lines}p · `, false);
  entry.setAttribute("disabled", "");
  entry.setAttribute("aria-disabled", "true");
  const share = document.createElement("span");
  share.dataset.making = "";
  share.textContent = `${said.making} ${Math.floor(progress * 100)} %`;
  entry.append(share);
  return entry;
}

// How far the ladder is, over all its parts; the whole run, where there is none to be seen yet.
export function sayProgress(film, original) {
  const parts = original.jobs.filter(({ step }) => step === "ladder");
  const done = parts.map(({ status, progress }) => (status === "succeeded" ? 1 : progress));
  film.progress = done.length ? done.reduce((sum, share) => sum + share) / done.length : original.progress;
  const said = document.getElementById("controls").dataset;
  for (const share of document.querySelectorAll("#stage [data-making]:not(#controls)")) share.textContent = `${said.making} ${Math.floor(film.progress * 100)} %`;
}
