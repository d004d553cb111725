// Ages stay true while a page stands open.
import { ago } from "./words.js";

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-age]")) time.textContent = ago(new Date(time.dateTime));
}, 10_000);
