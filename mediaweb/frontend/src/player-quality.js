// The quality menu: what can be chosen, what is chosen, and what is still being made and how far it is.

export function drawQualities(film, controller) {
  const menu = controller.querySelector("#quality");
  const said = film.video.closest("#stage").querySelector("#controls").dataset;
  const { chosen, qualities } = film;
  const made = new Set(qualities.filter(({ preset }) => preset !== "source").map(({ lines }) => lines));
  const awaited = film.streaming ? [] : film.awaited.filter((lines) => !made.has(lines));
  const shown = JSON.stringify([qualities, awaited]);
  if (menu.dataset.shown !== shown) {
    for (const old of menu.querySelectorAll("media-chrome-menu-item")) old.remove();
    menu.append(...qualities.map((quality) => item(quality.value, nameOf(quality, said))));
    menu.append(...awaited.map((lines) => beingMade(lines, film.progress, said)));
    menu.dataset.shown = shown;
  }
  for (const entry of menu.querySelectorAll("media-chrome-menu-item:not([disabled])")) entry.checked = entry.value === chosen;
  const { videoWidth, videoHeight } = film.video;
  controller.querySelector(".quality-now").textContent = videoWidth ? `${Math.min(videoWidth, videoHeight)}p` : "";
}

function nameOf({ lines, preset }, said) {
  if (lines === null) return said.auto;
  return preset === "source" ? `${said.original} · ${lines}p` : `${lines}p`;
}

function item(value, text) {
  const entry = document.createElement("media-chrome-menu-item");
  entry.type = "radio";
  entry.value = value;
  entry.textContent = text;
  return entry;
}

function beingMade(lines, progress, said) {
  const entry = item("", `${lines}p ·\u00a0`);
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
