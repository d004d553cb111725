// Uppy with tus: many files at once, each resumed where it broke off, today, after a reload, or from another browser.
// What may go straight to the store does so, by the same words.
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import { Pace } from "./pace.js";
import * as straight from "./straight.js";
import { csrf, DELAYS, described, head, hold, letGo, silent } from "./wire.js";

const ADAPT = 4000; // ms

const uppy = new Uppy({ autoProceed: true, allowMultipleUploadBatches: true, logger: silent });
const pace = new Pace();
const senders = new Map(); // by Uppy's id of the file

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
  if (straight.takes(file, url)) return straight.send(file, sender, url);
  const id = uppy.addFile(described(file));
  senders.set(id, sender);
  uppy.setFileState(id, { tus: { sender: id, ...(url && { uploadUrl: url }) } });
  return id;
}

export const pause = (id) => (straight.has(id) ? straight.pause(id) : uppy.pauseResume(id));
// What fails again is told by upload-error.
export const again = (id) => (straight.has(id) ? straight.again(id) : uppy.retryUpload(id).catch(() => {}));

export function drop(id) {
  if (straight.has(id)) return straight.drop(id);
  senders.delete(id);
  letGo(id);
  if (uppy.getFile(id)) uppy.removeFile(id);
  return undefined;
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

export function adapt(speedNow) {
  setInterval(() => {
    const speed = speedNow();
    if (!speed) return;
    const atOnce = pace.adapt(speed);
    uppy.getPlugin("Tus").requests.limit = atOnce;
    straight.widen(atOnce);
  }, ADAPT);
}
