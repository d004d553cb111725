// All files of this page together: how many, how far, how fast, and one hand on all of them.
import { Gauge } from "./pace.js";
import { size, time, word } from "./words.js";

const line = document.getElementById("sending-total");

class Total {
  constructor() {
    this.all = new Set();
    this.finished = new Set();
    this.gauge = new Gauge();
    for (const button of line?.querySelectorAll("[data-all]") ?? []) {
      button.addEventListener("click", () => this.each(button.dataset.all));
    }
  }

  each(action) {
    const from = { pause: ["waiting", "sending", "lost"], resume: ["paused"], cancel: ["waiting", "sending", "lost", "paused", "broken"] }[action];
    for (const sending of this.all) if (from.includes(sending.status) && !this.finished.has(sending)) sending[action]();
    line.querySelector(`[data-all=${action === "pause" ? "resume" : "pause"}]`).focus();
  }

  add(sending) {
    this.all.add(sending);
    this.tell();
  }

  drop(sending) {
    this.all.delete(sending);
    this.tell();
  }

  done(sending) {
    this.finished.add(sending);
    this.tell();
  }

  get isBusy() {
    return this.all.size > this.finished.size;
  }

  tell() {
    if (!this.isBusy) {
      this.all.clear();
      this.finished.clear();
      this.gauge = new Gauge();
    }
    line.hidden = this.all.size < 2;
    if (line.hidden) return;
    let moved = 0;
    let sent = 0;
    let bytes = 0;
    for (const sending of this.all) {
      moved += sending.moved;
      sent += sending.sent;
      bytes += sending.file.size;
    }
    this.gauge.note(moved);
    line.querySelector("progress").value = sent / bytes;
    const facts = [word("files", { DONE: this.finished.size, TOTAL: this.all.size }), word("of", { DONE: size(sent), TOTAL: size(bytes) })];
    const { speed } = this.gauge;
    if (speed) facts.push(`${size(speed)}/s`, word("left", { TIME: time((bytes - sent) / speed) }));
    line.querySelector(".facts").textContent = facts.join(" · ");
    const running = [...this.all].some((sending) => !this.finished.has(sending) && sending.status !== "paused");
    line.querySelector("[data-all=pause]").hidden = !running;
    line.querySelector("[data-all=resume]").hidden = running;
  }
}

export const total = new Total();
