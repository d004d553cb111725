// Uppy with tus: many files at once, each resumed where it broke off, today, after a reload, or from another browser.
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import { Pace } from "./pace.js";

const DELAYS = [1, 2, 4, 8, 16, 30, 60, 60].map((seconds) => seconds * 1000); // some three minutes in all
const ADAPT = 4000; // ms
const silent = { debug() {}, warn() {}, error() {} };

export const csrf = () => ({ "X-CSRFToken": document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "" });

const uppy = new Uppy({ autoProceed: true, allowMultipleUploadBatches: true, logger: silent });
const pace = new Pace();
const senders = new Map(); // by Uppy's id of the file
const holds = new Map(); // by the same: what lets go of the upload's lock, which tells other tabs that it is being sent

uppy.use(Tus, {
  endpoint: `${location.origin}/files/`,
  headers: csrf,
  limit: pace.atOnce,
  retryDelays: DELAYS,
  removeFingerprintOnSuccess: true,
  allowedMetaFields: ["name", "type", "modified"],
  onShouldRetry(error, attempt, options, usual) {
    const goes = usual(error);
    if (goes) senders.get(options.sender)?.lost(DELAYS[attempt] / 1000);
    return goes;
  },
});

// Sends `file`, and tells `sender` what becomes of it. `url`: of the upload that it goes on with.
export function send(file, sender, url) {
  const id = uppy.addFile({
    name: file.name || "pasted",
    type: file.type,
    data: file,
    source: "page",
    meta: { relativePath: file.place ?? null, modified: file.lastModified },
  });
  senders.set(id, sender);
  uppy.setFileState(id, { tus: { sender: id, ...(url && { uploadUrl: url }) } });
  return id;
}

export const pause = (id) => uppy.pauseResume(id);
export const again = (id) => uppy.retryUpload(id).catch(() => {}); // told by upload-error

export const lockOf = (url) => `upload ${new URL(url, location.href).pathname}`;

function hold(id, url) {
  if (!url || holds.has(id)) return;
  const { promise, resolve } = Promise.withResolvers();
  holds.set(id, resolve);
  navigator.locks?.request(lockOf(url), () => promise);
}

export function drop(id) {
  senders.delete(id);
  holds.get(id)?.();
  holds.delete(id);
  if (uppy.getFile(id)) uppy.removeFile(id);
}

uppy.on("upload-progress", (file, progress) => {
  if (!senders.has(file?.id)) return;
  hold(file.id, uppy.getFile(file.id)?.tus?.uploadUrl);
  senders.get(file.id).progress(progress.bytesUploaded);
});
uppy.on("upload-success", async (file, { uploadURL, body }) => {
  const sender = senders.get(file.id);
  const id = body.xhr?.getResponseHeader("X-Original-Id") || (await become(uploadURL));
  drop(file.id); // after that, as Uppy has the server forget the upload
  sender?.kept(id);
});
uppy.on("upload-error", (file, error, response) => {
  const xhr = response?.body?.xhr;
  senders.get(file?.id)?.failed(response?.status ?? 0, xhr?.responseText ?? "");
});

// What an upload has become, where another request was ending it just then.
async function become(url) {
  for (let tries = 0; tries < 60; tries += 1) {
    const answer = await head(url).catch(() => null);
    const id = answer?.headers.get("X-Original-Id");
    if (id) return id;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return null;
}

// How far an upload has come.
export const head = (url) => fetch(url, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });

// Gives an upload up on the server.
export const terminate = (url) => fetch(url, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0", ...csrf() } });

export function adapt(speedNow) {
  setInterval(() => {
    const speed = speedNow();
    if (speed) uppy.getPlugin("Tus").requests.limit = pace.adapt(speed);
  }, ADAPT);
}
