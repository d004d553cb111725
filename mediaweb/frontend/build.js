// Builds everything a page loads into mediaweb/static/build.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const ICONS = [
  "aperture", "arrow-up-to-line", "ban", "bookmark", "camera", "check", "chevron-left", "chevron-right",
  "circle-check", "circle-dashed", "circle-x", "clock", "cloud-upload", "copy", "download", "film", "folder-up",
  "image", "images", "info", "key-round", "keyboard", "layers", "link", "list-checks", "loader-circle", "lock",
  "log-out", "moon", "pause", "pencil", "play", "plus", "refresh-cw", "rotate-ccw", "search", "send", "settings",
  "shield", "sliders-horizontal", "sun", "sun-moon", "trash-2", "triangle-alert", "upload", "webhook", "x",
];
const OUT = new URL("../static/build/", import.meta.url).pathname;

async function symbol(name) {
  const svg = await readFile(new URL(`node_modules/lucide-static/icons/${name}.svg`, import.meta.url), "utf8");
  const drawing = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${drawing.trim()}</symbol>`;
}

await build({
  entryPoints: { app: "src/app.js", theme: "src/theme.js" },
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "iife",
  target: ["chrome125", "firefox128", "safari17.5"],
  outdir: OUT,
});
// Loaded by pages with a film alone, and hls.js (a third of a megabyte) by it when there is a stream to play.
await build({
  entryPoints: { player: "src/player.js" },
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  splitting: true,
  minify: true,
  sourcemap: true,
  format: "esm",
  target: ["chrome125", "firefox128", "safari17.5"],
  outdir: OUT,
});
await build({
  entryPoints: { app: "src/app.css" },
  absWorkingDir: new URL(".", import.meta.url).pathname,
  bundle: true,
  minify: true,
  target: ["chrome125", "firefox128", "safari17.5"],
  outdir: OUT,
});
const symbols = await Promise.all(ICONS.map(symbol));
await writeFile(`${OUT}icons.svg`, `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`);
