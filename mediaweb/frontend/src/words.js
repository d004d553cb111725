// Words the server has translated, numbers as the reader writes them, and what a screen reader is told.

const language = document.documentElement.lang;
const words = new Map();
for (const term of document.querySelectorAll("#words dt")) words.set(term.textContent, term.nextElementSibling.textContent);

export function word(name, values = {}) {
  let text = words.get(name) ?? "";
  for (const [key, value] of Object.entries(values)) text = text.replace(key, () => value);
  return text;
}

const UNITS = [[1e9, "gigabyte"], [1e6, "megabyte"], [1e3, "kilobyte"], [1, "byte"]];

export function size(bytes) {
  const [scale, unit] = UNITS.find(([scale]) => bytes >= scale) ?? UNITS.at(-1);
  return number(bytes / scale, unit, bytes / scale < 10 && scale > 1 ? 1 : 0);
}

export function time(seconds) {
  if (seconds < 60) return number(Math.max(1, seconds), "second", 0);
  if (seconds < 3600) return number(seconds / 60, "minute", 0);
  return number(seconds / 3600, "hour", 1);
}

// Seconds as players show them, 1:04, 1:04:12, and to two digits: nobody knows the third of an estimate.
export function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function rounded(seconds) {
  if (seconds < 10) return Math.max(1, Math.ceil(seconds));
  const size = 10 ** (String(Math.floor(seconds)).length - 2);
  return Math.round(seconds / size) * size;
}

function number(value, unit, maximumFractionDigits) {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits }).format(value);
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

const SPANS = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

export function ago(moment) {
  const seconds = Math.max(0, (Date.now() - moment) / 1000);
  const format = new Intl.RelativeTimeFormat(language, { style: "narrow", numeric: "auto" });
  if (seconds < 10) return format.format(0, "second");
  const [length, unit] = SPANS.find(([length]) => seconds >= length);
  return format.format(-Math.floor(seconds / length), unit);
}
