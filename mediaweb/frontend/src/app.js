import "htmx.org";
import { paintPlaceholders } from "./placeholders.js";
import { mergeDays } from "./gallery.js";
import "./acting.js";
import "./chooser.js";
import "./copying.js";
import "./job.js";
import "./keyboard.js";
import "./lightbox.js";
import "./live.js";
import "./motion.js";
import "./picking.js";
import "./selection.js";
import "./sending.js";
import "./sure.js";
import "./times.js";

paintPlaceholders(document);
document.addEventListener("htmx:afterSwap", () => { // before it is painted
  mergeDays();
  paintPlaceholders(document);
});
