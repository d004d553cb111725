// What can be said of a file before a byte of it is sent: too large, empty, no room, not media, or here already.
const zone = document.getElementById("zone");
const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
const sentences = read("sentences");
const signatures = read("signatures");
const HEAD = 4096;
const HASHED = 64 << 20; // bytes: a browser hashes a file only as a whole, in memory
const free = { bytes: zone?.dataset.freeBytes ? Number(zone.dataset.freeBytes) : Infinity };

// An API's error as the sentence the server would say in the reader's language.
export function explain(error) {
  const sentence = sentences[`${error?.code} ${error?.details?.format}`] ?? sentences[error?.code];
  if (!sentence) return error?.message;
  return sentence.replace(/%\((\w+)\)s/g, (_, name) => {
    const value = error.details?.[name] ?? "";
    return typeof value === "number" ? value.toLocaleString(document.documentElement.lang) : value;
  });
}

// The error this file would meet, or null.
export async function check(file) {
  const limit = Number(zone.dataset.maxBytes);
  if (file.size === 0) return { code: "empty" };
  if (file.size > limit) return { code: "too_large", details: { allowed: limit } };
  if (file.size > free.bytes) {
    return { code: "quota_exceeded", details: { free: free.bytes, allowed: Number(zone.dataset.quotaBytes) } };
  }
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  if (!isMedia(head)) return { code: "unsupported_type", details: isDrawing(head) ? { format: "SVG" } : {} };
  free.bytes -= file.size;
  return null;
}

// The file will not come after all.
export function giveBack(file) {
  free.bytes += file.size;
}

function isMedia(head) {
  const holds = ([at, mark]) => hex(head.subarray(at, at + mark.length / 2)) === mark;
  return signatures.some((marks) => marks.every(holds));
}

function isDrawing(head) {
  const text = new TextDecoder().decode(head).trimStart();
  return /^<(svg|\?xml|!--|!DOCTYPE svg)/.test(text) && text.includes("<svg");
}

// The original these bytes have become before, if it is well.
export async function known(file) {
  if (file.size > HASHED || !crypto.subtle) return null; // no hashing where the page itself is not secure
  const hash = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
  const query = new URLSearchParams({ sha256: hash, owner: document.querySelector("main").dataset.owner ?? zone.dataset.owner, limit: 1 });
  const response = await fetch(`/api/originals?${query}`);
  const [original] = response.ok ? (await response.json()).items : [];
  return original && !["failed", "canceled"].includes(original.status) ? original : null;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
