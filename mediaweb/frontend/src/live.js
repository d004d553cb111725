// Keeps what is on the page true: the server says which original moved, and its part is fetched again.
import { place, removeEmptyDays } from "./gallery.js";
import { paintPlaceholders } from "./placeholders.js";
import { announce } from "./words.js";

const FINAL = ["ready", "failed", "canceled"];
const GATHER = 250; // ms: what moves several times in this time is fetched once
const LOOK_AGAIN = 15_000; // ms: unfinished parts are read again even when nothing was heard
const main = document.querySelector("main[data-live]");
const indicator = document.getElementById("live");
const pending = new Map();

const parts = (id) => [...document.querySelectorAll(`[data-original-id="${CSS.escape(id)}"][data-fragment]`)];

async function fetchPart(url) {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (response.status === 404) return null;
  if (!response.ok || response.redirected) throw new Error(`${url}: ${response.status}`);
  return parse(await response.text()).querySelector("[data-original-id]");
}

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

function put(old, fresh) {
  const focused = old?.contains(document.activeElement);
  const ticked = old?.querySelector("input[name=run]")?.checked;
  if (old?.dataset.status !== fresh.dataset.status && FINAL.includes(fresh.dataset.status)) {
    announce(fresh.dataset.said || `${fresh.dataset.name ?? ""}: ${fresh.querySelector(".state")?.textContent.trim() ?? ""}`);
  }
  if (old && old.tagName === fresh.tagName) old.replaceWith(fresh);
  else {
    old?.remove();
    place(fresh);
    removeEmptyDays();
  }
  paintPlaceholders(fresh.parentElement ?? fresh);
  const tick = fresh.querySelector("input[name=run]");
  if (tick && ticked) tick.checked = true;
  if (focused) (fresh.querySelector("a, button") ?? fresh).focus();
}

export async function refresh(id) {
  for (const old of parts(id)) {
    try {
      const fresh = await fetchPart(old.dataset.fragment);
      if (!fresh) old.remove();
      else if (old.isConnected) put(old, document.importNode(fresh, true));
    } catch {
      // The connection or the server is away: the stream's return reads everything again.
    }
  }
}

export async function show(id) {
  if (parts(id).length) return refresh(id);
  const fresh = await fetchPart(main.dataset.new.replace("ID", id)).catch(() => null);
  if (!fresh || parts(id).length) return undefined;
  const list = document.getElementById("rows");
  if (list) list.prepend(document.importNode(fresh, true));
  else put(null, document.importNode(fresh, true));
  return undefined;
}

function soon(id, action) {
  if (pending.has(id)) return;
  pending.set(id, setTimeout(() => {
    pending.delete(id);
    action(id);
  }, GATHER));
}

function moved(original) {
  const shown = parts(original.id);
  const ours = !main.dataset.owner || main.dataset.owner === original.owner;
  if (!shown.length && main.dataset.new && ours) soon(original.id, show);
  for (const part of shown) {
    const same = part.dataset.status === original.status && !("everyEvent" in part.dataset) && sameJobs(part, original);
    if (same) advance(part, original.progress);
    else soon(original.id, refresh);
  }
  soon("tabs", refreshTabs);
}

// What else a part shows beside its progress: the step that is at work, the files there are.
function sameJobs(part, original) {
  const { step, renditions } = part.dataset;
  if (renditions !== undefined && Number(renditions) !== original.renditions.length) return false;
  return step === undefined || original.jobs.some((job) => step === `${job.id} ${job.status}`);
}

function advance(part, progress) {
  const bar = part.querySelector("progress");
  if (bar) bar.value = progress;
  const number = part.querySelector("[data-percent]");
  if (number) number.textContent = `${Math.floor(progress * 100)} %`;
}

async function refreshTabs() {
  const tabs = document.getElementById("tabs");
  if (!tabs) return;
  const response = await fetch(tabs.dataset.fragment).catch(() => null);
  const fresh = response?.ok && parse(await response.text()).getElementById("tabs");
  if (fresh) tabs.replaceWith(document.importNode(fresh, true));
}

// What moved while nobody listened: the page as it is now, beside the page as it stands here.
async function readAgain() {
  for (const part of document.querySelectorAll("[data-fragment][data-original-id]")) {
    if (!FINAL.includes(part.dataset.status)) soon(part.dataset.originalId, refresh);
  }
  if (!main.dataset.new) return;
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return;
  for (const fresh of [...parse(await response.text()).querySelectorAll("[data-fragment][data-original-id]")].reverse()) {
    const [old] = parts(fresh.dataset.originalId);
    if (!old || old.dataset.status !== fresh.dataset.status) soon(fresh.dataset.originalId, show);
  }
}

function say(state) {
  indicator.hidden = false;
  indicator.dataset.state = state;
  indicator.textContent = indicator.dataset[state];
}

function listen(wait = 1000) {
  const stream = new EventSource("/api/events");
  stream.addEventListener("open", () => {
    wait = 1000;
    say("live");
    setTimeout(readAgain, 300); // the server subscribes just after it has answered
  });
  stream.addEventListener("original", (event) => moved(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    say("lost");
    stream.close();
    setTimeout(listen, wait, Math.min(wait * 2, 15_000));
  });
}

if (main) {
  listen();
  setInterval(readAgain, LOOK_AGAIN);
}
