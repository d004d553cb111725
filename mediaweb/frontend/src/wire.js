// What both ways of sending share: who we are, when to try again, who else is at an upload, and what the server knows of it.
export const DELAYS = [1, 2, 4, 8, 16, 30, 60, 60].map((seconds) => seconds * 1000); // some three minutes in all
export const silent = { debug() {}, warn() {}, error() {} };

const TUS = { "Tus-Resumable": "1.0.0" };
const holds = new Map(); // by Uppy's id of the file: what lets go of the upload's lock, which tells other tabs that it is being sent

export const csrf = () => ({ "X-CSRFToken": document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "" });

// What Uppy wants to know of a file.
export const described = (file) => ({
  name: file.name || "pasted",
  type: file.type,
  data: file,
  source: "page",
  meta: { relativePath: file.place ?? null, modified: file.lastModified },
});

export const isStraight = (url) => url.startsWith("/api/multipart/");
export const lockOf = (url) => `upload ${new URL(url, location.href).pathname}`;

export function hold(id, url) {
  if (!url || holds.has(id)) return;
  const { promise, resolve } = Promise.withResolvers();
  holds.set(id, resolve);
  navigator.locks?.request(lockOf(url), () => promise);
}

export function letGo(id) {
  holds.get(id)?.();
  holds.delete(id);
}

// An upload by tus, as the server answers for it.
export const head = (url) => fetch(url, { method: "HEAD", headers: TUS });

// How many bytes of an upload the server has: null where it knows of none. Fails where it cannot be asked.
export async function offsetOf(url) {
  const answer = isStraight(url) ? await fetch(url) : await head(url);
  if (!answer.ok) return null;
  if (!isStraight(url)) return Number(answer.headers.get("Upload-Offset") ?? 0);
  return (await answer.json()).parts.reduce((sum, part) => sum + part.bytes, 0);
}

// Gives an upload up on the server.
export const terminate = (url) => fetch(url, { method: "DELETE", headers: { ...TUS, ...csrf() } });
