// Straight to the store: Uppy's S3 plugin sends a large file part by part, to addresses that the server signs, and asks us
// what is there already and for the end of it, in S3's words. The rest is ours: the line that files stand in, since the
// plugin would keep the place of a paused one, and when to try again.
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import { csrf, DELAYS, described, hold, isStraight, letGo, silent, terminate } from "./wire.js";

const { straight, partBytes } = document.getElementById("zone")?.dataset ?? {};
const uppy = new Uppy({ logger: silent });
const uploads = new Map(); // by Uppy's id of the file
const line = [];
let atOnce = 3;

uppy.use(AwsS3, { limit: 0, shouldUseMultipart: true, getChunkSize: () => Number(partBytes), signRequest: signed });

// Whether `file` goes this way. `url`: of the upload that it goes on with. One of no more than a part is one request by
// tus, where this takes four, and is hashed on its way rather than read back.
export const takes = (file, url) => (url ? isStraight(url) : straight !== undefined && file.size > Number(partBytes));
export const has = (id) => uploads.has(id);

class Upload {
  constructor(id, file, sender, url) {
    this.id = id;
    this.file = file;
    this.sender = sender;
    this.tries = 0;
    this.isPaused = false;
    this.turn = null; // while it is on its way
    this.isFound = Boolean(url); // begun by another page: it may have expired since
    this.url = url && Promise.resolve(url);
  }

  queue() {
    line.push(this);
    next();
  }

  async go() {
    const turn = {};
    this.turn = turn;
    try {
      this.url ??= this.begin();
      const url = await this.url;
      if (this.turn === turn) this.proceed(url);
    } catch (error) {
      this.url = null;
      if (this.turn === turn) this.stumble(error);
    }
  }

  // The address of a new upload. Asked for twice, because no answer came, it is made once.
  async begin() {
    this.key ??= crypto.getRandomValues(new Uint32Array(4)).join("-");
    const { name, meta, data } = described(this.file);
    const answer = await fetch("/api/multipart", {
      method: "POST",
      headers: { ...csrf(), "Content-Type": "application/json", "Idempotency-Key": this.key },
      body: JSON.stringify({ name, bytes: data.size, modified: meta.modified }),
    });
    if (!answer.ok) throw await refusal(answer);
    return `/api/multipart/${(await answer.json()).id}`;
  }

  proceed(url) {
    hold(this.id, url);
    if (uppy.getFile(this.id).isPaused) return void uppy.pauseResume(this.id);
    uppy.setFileState(this.id, { s3Multipart: { uploadId: url, key: this.id } });
    return void uppy.retryUpload(this.id); // what fails is told by upload-error
  }

  // Out of the line, and nothing more is sent until its turn comes again.
  rest() {
    clearTimeout(this.timer);
    if (line.includes(this)) line.splice(line.indexOf(this), 1);
    this.turn = null;
    next();
  }

  pause() {
    this.isPaused = !this.isPaused;
    if (this.isWhole) return undefined;
    if (!this.isPaused) return this.queue();
    if (this.isSending) uppy.pauseResume(this.id);
    return this.rest();
  }

  get isSending() {
    const { s3Multipart, error, isPaused } = uppy.getFile(this.id);
    return Boolean(s3Multipart && !error && !isPaused && this.turn);
  }

  stumble({ status = 0, body = "" }) {
    this.rest();
    if (status === 404 && this.isFound && !this.isAtStore) return this.anew();
    const passes = this.isAtStore || !status || status === 409 || status === 429 || status >= 500;
    const delay = DELAYS[this.tries];
    if (passes && delay) {
      this.tries += 1;
      this.timer = setTimeout(() => this.queue(), delay);
      return this.sender.lost(delay / 1000);
    }
    // What a store refuses is no fault of the file's, and its words are for nobody to read.
    return this.isAtStore && status ? this.sender.failed(500, "") : this.sender.failed(status, body);
  }

  anew() {
    this.isFound = false;
    this.url = null;
    letGo(this.id);
    this.queue();
  }

  // All of it is in the store. Where the original is, or where to ask for it while a worker reads its bytes.
  async end(place) {
    this.isWhole = true;
    this.rest();
    const id = isStraight(place) ? await this.become(place) : place.split("/").at(-1);
    if (!uploads.has(this.id)) return; // given up meanwhile
    this.url = null; // there is nothing to give up any more
    drop(this.id);
    this.sender.kept(id);
  }

  async become(url) {
    for (let misses = 0; misses < 60 && uploads.has(this.id);) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const answer = await fetch(url).catch(() => null);
      const { original_id: id } = answer?.ok ? await answer.json() : {};
      if (id) return id;
      misses = answer?.ok ? 0 : misses + 1;
    }
    return null;
  }
}

export function send(file, sender, url) {
  const id = uppy.addFile(described(file));
  const upload = new Upload(id, file, sender, url);
  uploads.set(id, upload);
  upload.queue();
  return id;
}

export const pause = (id) => uploads.get(id).pause();

export function again(id) {
  const upload = uploads.get(id);
  upload.tries = 0;
  upload.queue();
}

export function drop(id) {
  const upload = uploads.get(id);
  uploads.delete(id);
  upload.rest();
  uppy.removeFile(id); // what is on the line is cut off
  upload.url?.then((url) => terminate(`${url}/s3`)).catch(() => {}).finally(() => letGo(id));
  if (!upload.url) letGo(id);
}

export function widen(most) {
  atOnce = most;
  next();
}

function next() {
  const going = [...uploads.values()].filter((upload) => upload.turn).length;
  for (const upload of line.splice(0, Math.max(0, atOnce - going))) upload.go();
}

// Where the plugin sends a request, of the upload under this key: parts to the store, all else to us.
async function signed({ key, uploadId: url, partNumber }) {
  const upload = uploads.get(key);
  if (upload) upload.isAtStore = false;
  if (!partNumber) return { url: `${url}/s3`, headers: csrf() };
  const answer = await fetch(`${url}/parts/${partNumber}`, { method: "POST", headers: csrf() });
  if (!answer.ok) throw await refusal(answer);
  const { url: address } = await answer.json();
  if (upload) upload.isAtStore = true;
  return { url: address };
}

const refusal = async (answer) => Object.assign(new Error(answer.statusText), { status: answer.status, body: await answer.text() });

uppy.on("upload-progress", (file, progress) => uploads.get(file?.id)?.sender.progress(progress.bytesUploaded));
uppy.on("s3-multipart:part-uploaded", (file) => {
  const upload = uploads.get(file.id);
  if (upload) upload.tries = 0;
});
uppy.on("upload-success", (file, { uploadURL }) => uploads.get(file.id)?.end(uploadURL));
uppy.on("upload-error", (file, error) => uploads.get(file?.id)?.stumble(error));
