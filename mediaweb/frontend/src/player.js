// The player of the detail page: controls around the plain <video>, which plays without any of this.
import "media-chrome";
import "media-chrome/menu";
import "media-chrome/lang/es";
import { setLanguage } from "media-chrome/utils/i18n";
import { Film } from "./player-film.js";
import { drawQualities, sayProgress } from "./player-quality.js";

const HOTKEYS = [" ", "k", "m", "f", "c"];
const language = document.documentElement.lang;
const names = new Intl.DisplayNames(language, { type: "language" });
let film = null;
setLanguage(language); // before any control is made, as some are named once

function dress(stage) {
  const video = stage.querySelector("video");
  if (!video) return;
  const controls = stage.querySelector("#controls").content.cloneNode(true);
  const controller = controls.querySelector("media-controller");
  nameTracks(video);
  video.controls = false;
  video.slot = "media";
  controller.style.cssText = video.style.cssText;
  video.replaceWith(controls);
  controller.prepend(video);
  controller.tabIndex = 0;
  const own = new Film(video);
  film = own;
  video.addEventListener("qualities", () => drawQualities(own, controller));
  controller.querySelector("#quality").addEventListener("change", (event) => {
    own.choose(event.target.value);
    controller.querySelector("media-settings-menu").hidden = true;
    controller.querySelector("media-settings-menu-button").focus();
  });
  own.begin();
}

// "spa" as the reader's language calls it.
function nameTracks(video) {
  for (const track of video.querySelectorAll("track[kind=subtitles]:not([srclang=und])")) track.label = names.of(track.srclang);
}

// The stage as it is now, beside the one that plays: what is new is taken over, and nothing is interrupted.
document.addEventListener("renew", (event) => {
  const fresh = event.target.id === "stage" && film && event.detail.querySelector("video");
  if (!fresh) return;
  event.preventDefault();
  Object.assign(event.target.dataset, event.detail.dataset);
  nameTracks(fresh);
  film.renew(fresh);
});
document.addEventListener("placed", (event) => {
  if (event.target.id === "stage") dress(event.target);
});
document.addEventListener("left", (event) => {
  if (event.target.id !== "stage") return;
  film?.end();
  film = null;
});
document.addEventListener("moved", ({ detail: original }) => {
  const stage = document.getElementById("stage");
  if (film && stage.dataset.originalId === original.id) sayProgress(film, original);
});

// The keys of a player work wherever the reader is on the page, as long as nothing else there takes them.
document.addEventListener("keydown", (event) => {
  const controller = document.querySelector("#stage media-controller");
  if (!controller || event.target !== document.body || !HOTKEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  controller.focus({ preventScroll: true });
  controller.dispatchEvent(new KeyboardEvent("keydown", { key: event.key })); // the key's way up goes to where the focus is now
});

const stage = document.querySelector(".scene #stage"); // the viewer's is told of by "placed"
if (stage) dress(stage);
