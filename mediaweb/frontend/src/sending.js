// Files on their way to the server: a few at once, each a row that says how far it is and what went wrong.
import { show } from "./live.js";
import { announce, size, time, word } from "./words.js";

const AT_ONCE = 3;
const TRIES = 8; // after a broken connection: 1, 2, 4 … 60 s apart, some three minutes in all
const zone = document.getElementById("zone");
const waiting = [];
let under_way = 0;

class Sending {
  constructor(file) {
    this.file = file;
    this.tries = 0;
    this.row = document.getElementById("sending-row").content.firstElementChild.cloneNode(true);
    this.row.querySelector(".name").textContent = file.name || "pasted";
    this.bar = this.row.querySelector("progress");
    this.bar.setAttribute("aria-label", file.name);
    this.facts = this.row.querySelector(".facts");
    this.row.querySelector("[data-do=cancel]").addEventListener("click", () => this.cancel());
    this.row.querySelector("[data-do=again]").addEventListener("click", () => this.again());
    document.getElementById("sending").append(this.row);
    this.say("waiting", `${size(file.size)} · ${word("waiting")}`);
  }

  say(status, text) {
    this.row.dataset.status = status;
    this.facts.textContent = text;
    this.row.querySelector("[data-do=again]").hidden = status !== "broken";
  }

  send() {
    under_way += 1;
    this.started = performance.now();
    const request = (this.request = new XMLHttpRequest());
    request.open("POST", "/api/originals");
    request.setRequestHeader("X-CSRFToken", document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "");
    request.upload.addEventListener("progress", (event) => this.progress(event.loaded, event.total));
    request.addEventListener("load", () => this.answered(request.status, request.responseText));
    request.addEventListener("error", () => this.broken());
    request.addEventListener("loadend", () => {
      under_way -= 1;
      sendNext();
    });
    const body = new FormData();
    body.append("file", this.file, this.file.name || "pasted");
    request.send(body);
    this.progress(0, this.file.size);
  }

  progress(sent, total) {
    const done = Math.min(sent, this.file.size);
    const seconds = (performance.now() - this.started) / 1000;
    const speed = seconds > 0.5 ? sent / seconds : 0;
    this.bar.value = total ? sent / total : 0;
    if (sent && sent === total) return this.say("sending", word("sent"));
    const facts = [word("of", { DONE: size(done), TOTAL: size(this.file.size) })];
    if (speed) facts.push(`${size(speed)}/s`, word("left", { TIME: time((total - sent) / speed) }));
    return this.say("sending", facts.join(" · "));
  }

  answered(status, text) {
    if (status === 201) this.kept(JSON.parse(text).id);
    else if (status === 401 || status === 403 && !text.startsWith("{")) this.stop("broken", word("signin"));
    else if (status >= 500) this.stop("broken", word("ours"));
    else this.refused(text);
  }

  async kept(id) {
    announce(word("kept", { NAME: this.file.name }));
    await show(id);
    this.remove();
  }

  refused(text) {
    let error = {};
    try {
      error = JSON.parse(text).error;
    } catch {
      // not one of our answers: a proxy's
    }
    this.stop("refused", explain(error) ?? word("ours"));
    announce(`${word("refused", { NAME: this.file.name })} ${this.facts.textContent}`);
  }

  broken() {
    this.tries += 1;
    if (this.tries > TRIES) return this.stop("broken", word("gone"));
    const wait = Math.min(2 ** (this.tries - 1), 60);
    this.say("lost", word("lost", { TIME: time(wait) }));
    this.timer = setTimeout(() => this.queue(), wait * 1000);
    return undefined;
  }

  stop(status, text) {
    this.bar.value = 0;
    this.say(status, text);
  }

  again() {
    this.tries = 0;
    this.queue();
  }

  queue() {
    this.say("waiting", `${size(this.file.size)} · ${word("waiting")}`);
    waiting.push(this);
    sendNext();
  }

  cancel() {
    clearTimeout(this.timer);
    if (waiting.includes(this)) waiting.splice(waiting.indexOf(this), 1);
    this.request?.abort();
    this.remove();
  }

  remove() {
    this.row.remove();
  }
}

function explain(error) {
  const sentences = JSON.parse(document.getElementById("sentences").textContent);
  const sentence = sentences[`${error.code} ${error.details?.format}`] ?? sentences[error.code];
  if (!sentence) return error.message;
  return sentence.replace(/%\((\w+)\)s/g, (_, name) => {
    const value = error.details?.[name] ?? "";
    return typeof value === "number" ? value.toLocaleString(document.documentElement.lang) : value;
  });
}

function sendNext() {
  while (under_way < AT_ONCE && waiting.length) waiting.shift().send();
}

function add(files) {
  if (!files.length) return;
  const limit = Number(zone.dataset.maxBytes);
  zone.classList.add("small");
  for (const file of files) {
    const sending = new Sending(file);
    if (file.size === 0) sending.stop("refused", explain({ code: "empty" }));
    else if (file.size > limit) sending.stop("refused", explain({ code: "too_large", details: { allowed: limit } }));
    else waiting.push(sending);
  }
  sendNext();
}

function receiveFiles() {
  const input = zone.querySelector("input[type=file]");
  const drop = document.getElementById("drop");
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  document.getElementById("upload").addEventListener("click", (event) => {
    event.preventDefault();
    input.click();
  });
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.hidden = true;
    add([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
  addEventListener("online", () => {
    for (const row of document.querySelectorAll("#sending [data-status=broken] [data-do=again]")) row.click();
  });
  addEventListener("beforeunload", (event) => {
    if (under_way || waiting.length) event.preventDefault();
  });
}

if (zone) receiveFiles();
