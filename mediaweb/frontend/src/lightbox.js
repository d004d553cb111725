// The viewer over the gallery: one original as large as the window, its neighbours a key or a swipe away.
// Its address is that of the original's page, so that a reload, a link and the way back all do what they say.
import { paintPlaceholders } from "./placeholders.js";

const SWIPE = 60; // px: less is a finger that trembles
const box = document.getElementById("lightbox");
const main = document.querySelector("main");
const cards = () => [...document.querySelectorAll("#gallery .card")];
const link = (card) => card.querySelector("a");
let id = null; // of the original that is shown
let ahead = []; // pictures that are fetched before they are wanted

const shown = () => cards().find((card) => card.dataset.originalId === id);

function open(card) {
  history.pushState({ viewing: true }, "", link(card).href);
  box.showModal();
  view(card);
}

function view(card) {
  id = card.dataset.originalId;
  leave();
  box.querySelector(".name").textContent = card.dataset.name;
  box.querySelector(".day").textContent = card.dataset.dayName;
  box.querySelector("[data-do=details]").href = link(card).href;
  const still = picture(card);
  box.querySelector(".view").replaceChildren(...(still ? [still] : []));
  if (!still || card.dataset.kind === "video" || "moves" in card.dataset) stage(card);
  const all = cards();
  const at = all.indexOf(card);
  box.querySelector("[data-do=newer]").disabled = at === 0;
  box.querySelector("[data-do=older]").disabled = at === all.length - 1 && !more();
  ahead = [all[at + 1], all[at - 1]].filter(Boolean).map(picture);
  if (at > all.length - 5) more()?.click();
}

// The card's picture in the size of the window, on what of it is here already; null where it has none.
function picture(card) {
  const small = card.querySelector("img");
  if (!small || card.matches(".failed, .canceled")) return null;
  const { width, height } = small.dataset;
  const image = new Image();
  image.sizes = `${Math.ceil(Math.min(innerWidth, (innerHeight * width) / height))}px`;
  image.srcset = small.srcset;
  image.src = small.src;
  image.alt = card.dataset.name;
  image.draggable = false;
  image.style.cssText = `--width: ${width}; --height: ${height}`;
  image.style.backgroundImage = `url("${small.currentSrc || small.src}")`;
  return image;
}

// What plays, moves, or is not made yet: as on its own page, and kept true as there.
async function stage(card) {
  const answer = await fetch(`${link(card).href}/stage`).catch(() => null);
  if (!answer?.ok || card.dataset.originalId !== id) return;
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("stage");
  if (!found || card.dataset.originalId !== id || !box.open) return;
  const fresh = document.importNode(found, true);
  box.querySelector(".view").replaceChildren(fresh);
  paintPlaceholders(fresh);
  if (card.dataset.kind === "video") await import(main.dataset.player);
  fresh.dispatchEvent(new CustomEvent("placed", { bubbles: true }));
}

function leave() {
  box.querySelector("#stage")?.dispatchEvent(new CustomEvent("left", { bubbles: true }));
  box.querySelector(".view").replaceChildren();
}

const more = () => document.querySelector("#gallery .more");

function turn(by) {
  const all = cards();
  const next = all[all.indexOf(shown()) + by];
  if (!next) return;
  history.replaceState({ viewing: true }, "", link(next).href);
  view(next);
}

function shut() {
  const card = shown();
  leave();
  id = null;
  ahead = [];
  if (box.open) box.close();
  card?.querySelector("a").focus();
}

const ACTIONS = { close: () => history.back(), newer: () => turn(-1), older: () => turn(1), details: () => location.reload() };
const KEYS = { ArrowLeft: -1, ArrowRight: 1, k: -1, j: 1 };

function follow() {
  document.getElementById("gallery").addEventListener("click", (event) => {
    const card = event.target.closest(".card > a")?.parentElement;
    if (!card || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open(card);
  });
  box.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action && !(event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ACTIONS[action]();
    } else if (event.target.matches(".view")) history.back();
  });
  box.addEventListener("cancel", (event) => {
    event.preventDefault();
    history.back();
  });
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("media-controller, video")) return;
    event.preventDefault();
    turn(KEYS[event.key]);
  });
  addEventListener("popstate", () => {
    const card = cards().find((other) => link(other).href === location.href);
    if (!card) return void (box.open && shut());
    if (!box.open) box.showModal();
    return view(card);
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (box.open) box.querySelector("[data-do=older]").disabled = cards().at(-1) === shown() && !more();
  });
  swipes(box.querySelector(".view"));
}

// A finger takes the picture along; let go far enough, it turns, and downwards it closes.
function swipes(pane) {
  let from = null;
  const move = (x, y) => {
    if (pane.firstElementChild) pane.firstElementChild.style.translate = x || y ? `${x}px ${y}px` : "";
  };
  const moved = (event) => {
    const [x, y] = [event.clientX - from.clientX, event.clientY - from.clientY];
    return Math.abs(x) > Math.abs(y) ? [x, 0] : [0, Math.max(0, y)];
  };
  pane.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" && event.isPrimary && !event.target.closest("media-control-bar, media-settings-menu, a, button")) from = event;
    else from = null; // a second finger zooms
  });
  pane.addEventListener("pointermove", (event) => from?.pointerId === event.pointerId && move(...moved(event)));
  pane.addEventListener("pointercancel", () => {
    from = null;
    move(0, 0);
  });
  pane.addEventListener("pointerup", (event) => {
    if (from?.pointerId !== event.pointerId) return;
    const [x, y] = moved(event);
    from = null;
    move(0, 0);
    if (Math.abs(x) > SWIPE) turn(x < 0 ? 1 : -1);
    else if (y > 2 * SWIPE) history.back();
  });
}

// An original's own page that the viewer was reloaded as: the way back to the gallery is none that loads it by itself.
function leadBack() {
  const here = location.pathname;
  addEventListener("popstate", () => location.pathname !== here && location.reload());
}

if (box) follow();
else leadBack();
