// Blurred stand-ins: painted once, hidden under the picture as soon as that has loaded.
import { decode } from "blurhash";

export function paintPlaceholders(root) {
  for (const canvas of root.querySelectorAll("canvas[data-blurhash]")) {
    paint(canvas);
    delete canvas.dataset.blurhash;
  }
}

function paint(canvas) {
  const { width, height } = canvas;
  try {
    const pixels = new ImageData(decode(canvas.dataset.blurhash, width, height), width, height);
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  } catch {
    canvas.remove(); // not a blurhash: the plain colour stays
  }
}
