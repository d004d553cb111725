// Which bytes a <video> plays: an MP4 while there is nothing else, and HLS by itself as soon as there is.
// Every change keeps the second, the speed, and whether it plays.

const HLS = "application/vnd.apple.mpegurl";
const AIRPLAY = "WebKitPlaybackTargetAvailabilityEvent" in window; // where the browser's own HLS is the better one
const AGAIN = 10_000; // ms: a stream that breaks twice within this is given up
const SOON = 10; // s: two segments and a half
const GONE = [403, 404]; // its address has run out; it was made anew
const SETTINGS = {
  capLevelToPlayerSize: true,
  enableWorker: false, // our fMP4 is passed on as it is: there is nothing to do in a thread of its own
  maxBufferLength: 20,
};

export const path = (url) => new URL(url, location.href).pathname;
const short = ({ width, height }) => Math.min(width, height);
const second = (video) => (video.ended ? 0 : video.currentTime); // who has seen it to its end begins anew

export class Film {
  hls = null; // hls.js, while it plays
  streaming = false;
  left = false; // who watched it has gone on
  brokeAt = -Infinity;
  lost = new Set(); // paths of files that would not play

  constructor(video) {
    this.video = video;
    this.take(video);
    video.addEventListener("error", () => this.goOn());
    video.addEventListener("resize", () => this.tell());
    video.addEventListener("loadstart", () => this.tell());
  }

  begin() {
    if (this.stream) this.playStream();
    this.tell();
  }

  end() {
    this.left = true;
    this.video.pause();
    this.hls?.destroy();
  }

  // What the server says there is to play.
  take(told) {
    this.stream = told.dataset.stream;
    this.files = [...told.querySelectorAll("source")].map(({ src, dataset }) => ({ src, lines: Number(dataset.lines), preset: dataset.preset }));
    this.awaited = told.dataset.awaited.split(" ").filter(Boolean).map(Number);
    this.progress = Number(told.dataset.progress);
  }

  renew(told) {
    this.take(told);
    for (const track of told.querySelectorAll("track")) {
      if (!this.video.querySelector(`[data-track="${track.dataset.track}"]`)) this.video.append(track);
    }
    if (this.stream && !this.streaming) this.playStream();
    else if (!this.streaming && !this.files.some(({ src }) => path(src) === path(this.video.currentSrc))) this.play(this.files[0].src);
    this.tell();
  }

  tell() {
    this.video.dispatchEvent(new CustomEvent("qualities"));
  }

  // What a reader can choose among: [{value, lines, preset}], best first; `lines` is null for "automatic".
  get qualities() {
    const automatic = { value: "auto", lines: null };
    if (this.hls) {
      const levels = this.hls.levels.map((level, index) => ({ value: `level ${index}`, lines: short(level) }));
      return [automatic, ...levels.sort((a, b) => b.lines - a.lines)];
    }
    const files = this.files.map(({ src, lines, preset }) => ({ value: path(src), lines, preset })).sort((a, b) => b.lines - a.lines);
    return this.streaming ? [automatic, ...files] : files;
  }

  get chosen() {
    if (this.hls) return this.hls.manualLevel < 0 ? "auto" : `level ${this.hls.manualLevel}`;
    const playing = path(this.video.currentSrc || this.files[0].src);
    return playing === path(this.stream) ? "auto" : playing;
  }

  choose(value) {
    if (value === this.chosen) return;
    if (this.hls && value === "auto") this.hls.nextLevel = -1;
    else if (this.hls) this.hls[this.endsSoon ? "currentLevel" : "nextLevel"] = Number(value.split(" ")[1]);
    else this.play(value === "auto" ? this.stream : this.files.find(({ src }) => path(src) === value).src);
    this.tell();
  }

  // A quality changes with the next segment, and nothing halts; at once where none may come, or nothing plays.
  get endsSoon() {
    const { currentTime, duration, paused } = this.video;
    return paused || duration - currentTime < SOON;
  }

  play(url) {
    keeping(this.video, () => {
      this.video.src = url;
    });
  }

  async playStream() {
    this.streaming = true;
    const native = this.video.canPlayType(HLS);
    if (native && AIRPLAY) return this.play(this.stream);
    const { default: Hls } = await import("hls.js");
    if (this.left) return;
    if (Hls.isSupported()) this.attach(Hls);
    else if (native) this.play(this.stream);
    else this.streaming = false;
  }

  attach(Hls) {
    const hls = new Hls({ ...SETTINGS, startPosition: second(this.video) || -1 });
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.tell());
    hls.on(Hls.Events.LEVEL_SWITCHED, () => this.tell());
    hls.on(Hls.Events.ERROR, (_, { fatal, type, response }) => {
      if (this.hls !== hls) return;
      if (GONE.includes(response?.code)) this.leaveStream(hls); // hls.js would wait for it to come back
      else if (fatal && type === Hls.ErrorTypes.MEDIA_ERROR && this.mayTryAgain()) hls.recoverMediaError();
      else if (fatal) this.leaveStream(hls);
    });
    this.hls = hls;
    keeping(this.video, () => {
      hls.loadSource(this.stream);
      hls.attachMedia(this.video);
    });
  }

  // Its addresses have run out, or its files were made anew: the page is asked once more, then an MP4 plays on.
  async leaveStream(hls) {
    this.hls = null;
    keeping(this.video, () => hls.destroy());
    if (this.mayTryAgain()) {
      this.streaming = false;
      const told = await fetchStage(this.video);
      if (told) return this.renew(told);
    }
    this.streaming = true; // and stays so: what has broken twice is not begun a third time
    this.stream = "";
    this.goOn();
  }

  mayTryAgain() {
    const before = this.brokeAt;
    this.brokeAt = performance.now();
    return this.brokeAt - before > AGAIN;
  }

  // What plays has failed: the next file that has not.
  goOn() {
    if (this.hls) return;
    this.lost.add(path(this.video.currentSrc || location.href));
    const next = this.files.find(({ src }) => !this.lost.has(path(src)));
    if (next) this.play(next.src);
    this.tell();
  }
}

async function fetchStage(video) {
  const response = await fetch(video.closest("#stage").dataset.fragment).catch(() => null);
  if (!response?.ok) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html").querySelector("video");
}

const pending = new WeakMap(); // video: what it was doing before the first of several changes

function keeping(video, change) {
  const { paused, playbackRate, readyState } = video;
  const before = pending.get(video) ?? { currentTime: second(video), paused, playbackRate };
  if (!pending.has(video)) {
    pending.set(video, before);
    if (readyState > 1) freeze(video, before.currentTime);
    const settled = new AbortController();
    for (const name of ["play", "pause"]) { // what is pressed meanwhile counts; a change of source itself tells neither
      video.addEventListener(name, () => { before.paused = name === "pause"; }, settled);
    }
    video.addEventListener("loadedmetadata", () => {
      pending.delete(video);
      settled.abort();
      if (before.currentTime) video.currentTime = before.currentTime;
      video.playbackRate = before.playbackRate;
      if (!before.paused) video.play().catch(() => {}); // the browser asks for a gesture: the button is there
    }, { once: true });
  }
  change();
}

// The last picture stays until the next source has one.
function freeze(video, at) {
  const still = document.createElement("canvas");
  still.width = video.videoWidth;
  still.height = video.videoHeight;
  still.slot = "poster";
  still.getContext("2d").drawImage(video, 0, 0);
  video.after(still);
  const gone = new AbortController();
  for (const name of ["loadeddata", "seeked", "timeupdate", "error"]) {
    video.addEventListener(name, () => {
      if (name !== "error" && (video.readyState < 2 || Math.abs(video.currentTime - at) > 1)) return;
      still.remove();
      gone.abort();
    }, { signal: gone.signal });
  }
}
