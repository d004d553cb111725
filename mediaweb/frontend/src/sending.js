// Files on their way to the server: each a row that says how far it is, how fast, and what went wrong.
import { check, explain, giveBack, known } from "./checking.js";
import { dropped, picked } from "./gathering.js";
import { show } from "./live.js";
import { Gauge } from "./pace.js";
import { total } from "./total.js";
import { begun, giveUpBegun } from "./unfinished.js";
import * as uplink from "./uplink.js";
import { terminate } from "./wire.js";
import { announce, size, time, word } from "./words.js";

const zone = document.getElementById("zone");

class Sending {
  constructor(file) {
    this.file = file;
    this.sent = 0;
    this.moved = 0; // bytes over the line from this page
    this.gauge = new Gauge();
    this.row = document.getElementById("sending-row").content.firstElementChild.cloneNode(true);
    this.row.querySelector(".name").textContent = this.name;
    this.bar = this.row.querySelector("progress");
    this.bar.setAttribute("aria-label", this.name);
    this.facts = this.row.querySelector(".facts");
    for (const button of this.row.querySelectorAll("[data-do]")) {
      button.setAttribute("aria-label", `${button.title} ${this.name}`);
      button.addEventListener("click", () => this[button.dataset.do]());
    }
    document.getElementById("sending").append(this.row);
    this.say("waiting", `${size(file.size)} · ${word("waiting")}`);
  }

  get name() {
    return this.file.place || this.file.name || "pasted";
  }

  get status() {
    return this.row.dataset.status;
  }

  say(status, text) {
    this.row.dataset.status = status;
    this.facts.textContent = text;
    const shown = { again: status === "broken", pause: ["waiting", "sending", "lost"].includes(status), resume: status === "paused" };
    for (const [name, isShown] of Object.entries(shown)) this.row.querySelector(`[data-do=${name}]`).hidden = !isShown;
    total.tell();
  }

  async start() {
    const problem = await check(this.file);
    if (problem) return this.refused(problem);
    total.add(this);
    const original = await known(this.file).catch(() => null);
    if (!this.row.isConnected) return undefined; // canceled meanwhile
    if (original) return this.kept(original.id, word("here", { NAME: this.name, OTHER: original.name }));
    const row = await begun(this.file);
    if (!this.row.isConnected) return undefined;
    try {
      this.id = uplink.send(this.file, this, row?.dataset.url);
    } catch {
      return this.remove(); // it is on its way already
    }
    this.resumed = row?.dataset.url; // until something moves
    row?.remove();
    if (this.status === "paused") uplink.pause(this.id);
    return undefined;
  }

  progress(sent) {
    if (this.status === "paused") return;
    if (this.moved || !this.resumed) this.moved += Math.max(0, sent - this.sent);
    this.resumed = null;
    this.sent = sent;
    this.gauge.note(sent);
    this.bar.value = sent / this.file.size;
    if (sent === this.file.size) return void this.say("sending", word("sent"));
    const facts = [word("of", { DONE: size(sent), TOTAL: size(this.file.size) })];
    const { speed } = this.gauge;
    if (speed) facts.push(`${size(speed)}/s`, word("left", { TIME: time((this.file.size - sent) / speed) }));
    this.say("sending", facts.join(" · "));
  }

  async kept(id, text = word("kept", { NAME: this.name })) {
    this.sent = this.file.size;
    announce(text);
    if (id) await show(id);
    this.row.remove();
    total.done(this);
  }

  lost(seconds) {
    this.gauge = new Gauge();
    this.say("lost", word("lost", { TIME: time(seconds) }));
  }

  failed(status, text) {
    if (status === 401 || (status === 403 && !text.startsWith("{"))) return this.say("broken", word("signin"));
    if (!status) return this.say("broken", word("gone"));
    if (status >= 500) return this.say("broken", word("ours"));
    giveBack(this.file);
    try {
      return this.refused(JSON.parse(text).error);
    } catch {
      return this.say("broken", word("ours")); // not one of our answers: a proxy's
    }
  }

  refused(error) {
    total.drop(this);
    if (this.id) uplink.drop(this.id);
    this.say("refused", explain(error) ?? word("ours"));
    announce(`${word("refused", { NAME: this.name })} ${this.facts.textContent}`);
  }

  pause() {
    if (this.id) uplink.pause(this.id);
    this.say("paused", `${word("of", { DONE: size(this.sent), TOTAL: size(this.file.size) })} · ${word("paused")}`);
    this.row.querySelector("[data-do=resume]").focus();
  }

  resume() {
    this.gauge = new Gauge();
    this.say("waiting", `${size(this.file.size)} · ${word("waiting")}`);
    if (this.id) uplink.pause(this.id);
    this.row.querySelector("[data-do=pause]").focus();
  }

  again() {
    this.gauge = new Gauge();
    this.say("waiting", `${size(this.file.size)} · ${word("waiting")}`);
    uplink.again(this.id);
  }

  cancel() {
    if (this.status !== "refused") giveBack(this.file);
    if (this.id) uplink.drop(this.id);
    giveUpBegun(this.file);
    if (this.resumed) terminate(this.resumed); // what only stands in line Uppy would forget and leave there
    this.remove();
  }

  remove() {
    const next = this.row.nextElementSibling ?? this.row.previousElementSibling;
    const had = this.row.contains(document.activeElement);
    this.row.remove();
    total.drop(this);
    if (had) (next?.querySelector("[data-do=cancel]") ?? document.querySelector("#zone input")).focus();
  }
}

// One after the other: the first is sent while the next is looked at.
let looking = Promise.resolve();

function add(files) {
  if (files.length) zone.classList.add("small");
  for (const sending of files.map((file) => new Sending(file))) {
    looking = looking.then(() => sending.row.isConnected && sending.start());
  }
}

function receiveFiles() {
  const drop = document.getElementById("drop");
  for (const input of zone.querySelectorAll("input[type=file]")) input.addEventListener("change", () => add(picked(input)));
  document.getElementById("upload").addEventListener("click", (event) => {
    event.preventDefault();
    zone.querySelector("input[type=file]").click();
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
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.hidden = true;
    add(await dropped(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
  addEventListener("online", () => {
    for (const button of document.querySelectorAll("#sending [data-status=broken] [data-do=again]")) button.click();
  });
  addEventListener("beforeunload", (event) => {
    if (total.isBusy) event.preventDefault();
  });
  uplink.adapt(() => total.gauge.speed);
}

if (zone) receiveFiles();
