// Keeps what is on the page true: the server says which original moved, and its part is fetched again.
import { hold, place, removeEmptyDays } from "./gallery.js";
import { paintPlaceholders } from "./placeholders.js";
import { announce, clock, rounded } from "./words.js";

const FINAL = ["ready", "failed", "canceled"];
const GATHER = 250; // ms: what moves several times in this time is fetched once
const GATHER_COUNTS = 2000; // ms: counting costs the database more than one row does
const LOOK_AGAIN = 15_000; // ms: what is unfinished is read again even when nothing was heard
const PARTS = "[data-original-id][data-fragment]";
const TICK = "input[name=run], input[name=ids]";
const main = document.querySelector("main[data-live]");
const indicator = document.getElementById("live");
const pending = new Map();

const parts = (id) => [...document.querySelectorAll(PARTS)].filter((part) => part.dataset.originalId === id);
const finished = (part) => FINAL.includes(part.dataset.status);

async function fetchPage(url) {
  const response = await fetch(url);
  if (response.status === 404) return null;
  if (!response.ok || response.redirected) throw new Error(`${url}: ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function put(old, found) {
  const fresh = document.importNode(found, true);
  if (old && !old.dispatchEvent(new CustomEvent("renew", { detail: fresh, bubbles: true, cancelable: true }))) return; // who heard it takes what it needs
  if (old && old.dataset.status === fresh.dataset.status && looksSame(old, fresh)) return;
  const focused = old?.contains(document.activeElement);
  const leads = focused && document.activeElement.getAttribute("href");
  const ticked = old?.querySelector(TICK)?.checked;
  if (old) hold(old, fresh);
  if (old?.tagName === fresh.tagName) old.replaceWith(fresh);
  else {
    old?.remove();
    place(fresh);
    removeEmptyDays();
  }
  paintPlaceholders(fresh);
  if (ticked) fresh.querySelector(TICK).checked = true;
  fresh.dispatchEvent(new CustomEvent("placed", { bubbles: true }));
  if (focused) (fresh.querySelector(`a[href="${leads}"]:not([tabindex])`) ?? fresh.querySelector("a, button"))?.focus();
  if (old && finished(fresh) && old.dataset.status !== fresh.dataset.status) announce(said(fresh));
}

function looksSame(old, fresh) {
  return old.dataset.renditions === fresh.dataset.renditions && old.textContent === fresh.textContent && old.querySelector("progress")?.value === fresh.querySelector("progress")?.value;
}

const said = (part) => part.dataset.said || `${part.dataset.name}: ${part.querySelector(".state")?.textContent.trim() ?? part.dataset.status}`;

export async function refresh(id) {
  for (const old of parts(id)) {
    try {
      const page = await fetchPage(old.dataset.fragment);
      if (!page) old.remove();
      else if (old.isConnected) put(old, page.querySelector(PARTS));
    } catch {
      // The connection or the server is away: the stream's return reads everything again.
    }
  }
}

// An original that is new to this page; where the page is narrowed or a later one, it does not belong.
export async function show(id) {
  if (!main.dataset.new) return;
  const page = await fetchPage(main.dataset.new.replace("ID", id)).catch(() => null);
  const fresh = page?.querySelector(PARTS);
  if (fresh && !parts(id).length) put(null, fresh);
}

function soon(id, action, wait = GATHER) {
  if (pending.has(id)) return;
  pending.set(id, setTimeout(() => {
    pending.delete(id);
    action(id);
  }, wait));
}

function moved(original) {
  const shown = parts(original.id);
  const ours = !main.dataset.owner || main.dataset.owner === original.owner;
  if (!shown.length && main.dataset.new && ours) soon(original.id, show);
  if (!shown.length && "narrowed" in main.dataset) soon("page", readAgain, GATHER_COUNTS); // the server knows what belongs
  for (const part of shown) {
    const same = part.dataset.status === original.status && !("everyEvent" in part.dataset) && sameJobs(part, original);
    if (same) advance(part, original);
    else soon(original.id, refresh);
  }
  document.dispatchEvent(new CustomEvent("moved", { detail: original }));
  soon("tabs", refreshTabs, GATHER_COUNTS);
}

// What else a part shows beside its progress: the step that is at work, the files there are.
function sameJobs(part, original) {
  const { step, renditions } = part.dataset;
  if (renditions !== undefined && Number(renditions) !== original.renditions.length) return false;
  return step === undefined || original.jobs.some((job) => step === `${job.id} ${job.status}`);
}

function advance(part, { progress, queue_position: place, eta_seconds: seconds }) {
  const bar = part.querySelector("progress");
  if (bar) bar.value = progress;
  const number = part.querySelector("[data-percent]");
  if (number) number.textContent = `${Math.floor(progress * 100)} %`;
  tell(part.querySelector("[data-place]"), place, () => `#${place}`);
  tell(part.querySelector("[data-left]"), seconds, (span) => span.dataset.left.replace("TIME", clock(rounded(seconds))));
}

function tell(span, value, text) {
  if (!span) return;
  span.hidden = value === null;
  if (value !== null) span.textContent = text(span);
}

async function refreshTabs() {
  const tabs = document.getElementById("tabs");
  const page = tabs && (await fetchPage(tabs.dataset.fragment).catch(() => null));
  if (page) tabs.replaceWith(document.importNode(page.getElementById("tabs"), true));
}

// What moved while nobody listened: the page as it is now beside the page as it stands here.
async function readAgain() {
  const page = await fetchPage(location.href).catch(() => null);
  if (!page) return;
  const seen = new Set();
  for (const fresh of [...page.querySelectorAll(PARTS)].reverse()) {
    const { originalId, fragment } = fresh.dataset;
    const old = parts(originalId).find((part) => part.dataset.fragment === fragment);
    if (old || main.dataset.new || "narrowed" in main.dataset) put(old ?? null, fresh);
    seen.add(originalId);
  }
  for (const part of document.querySelectorAll(PARTS)) {
    if (!finished(part) && !seen.has(part.dataset.originalId)) soon(part.dataset.originalId, refresh);
  }
  soon("tabs", refreshTabs, GATHER_COUNTS);
}

function lookAgain() {
  const unfinished = [...document.querySelectorAll(PARTS)].some((part) => !finished(part));
  if (!document.hidden && (unfinished || indicator.dataset.state === "lost")) readAgain();
}

function say(state) {
  indicator.dataset.state = state;
  indicator.textContent = indicator.dataset[state];
}

function listen(wait = 1000) {
  const stream = new EventSource("/api/events");
  stream.addEventListener("open", () => {
    wait = 1000;
    say("live");
  });
  stream.addEventListener("listening", readAgain); // from here on nothing is missed; before it, something may be
  stream.addEventListener("original", (event) => moved(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    say("lost");
    stream.close();
    setTimeout(listen, wait, Math.min(wait * 2, 15_000));
  });
}

if (main) {
  listen();
  setInterval(lookAgain, LOOK_AGAIN);
}
