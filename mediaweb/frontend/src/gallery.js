// Where an original belongs: on the desk, or in its day of the gallery, newest first.
const AHEAD = "1500px"; // below the window: what is that near is fetched before anybody sees where it ends

const gallery = document.getElementById("gallery");
const days = () => [...gallery.querySelectorAll(".day")];

export function place(element) {
  document.querySelector(".nothing")?.remove();
  if (element.matches(".card")) placeCard(element);
  else document.getElementById("rows").prepend(element);
}

function placeCard(card) {
  const day = days().find((other) => other.dataset.day === card.dataset.day) ?? newDay(card);
  const cards = day.querySelector(".cards");
  const older = [...cards.children].find((other) => other.dataset.taken < card.dataset.taken);
  cards.insertBefore(card, older ?? null);
}

// Of what was taken longer ago than the page has come yet, the reader would see nothing: it arrives at the top.
function newDay(card) {
  const older = days().find((other) => other.dataset.day < card.dataset.day);
  if (older || !gallery.querySelector(".more")) return addDay(card.dataset.day, card.dataset.dayName, older ?? gallery.querySelector(".more"));
  return days().find((day) => day.dataset.day === "arrived") ?? addDay("arrived", gallery.dataset.arrived, gallery.firstElementChild);
}

function addDay(name, title, before) {
  const day = document.createElement("section");
  day.className = "day";
  day.dataset.day = name;
  const heading = document.createElement("h2");
  heading.textContent = title;
  const cards = document.createElement("div");
  cards.className = "cards";
  day.append(heading, cards);
  gallery.insertBefore(day, before ?? null);
  return day;
}

// A later page may begin in the day where the page before it ended, and bring what has arrived meanwhile.
export function mergeDays() {
  const seen = new Set();
  for (const card of document.querySelectorAll("#gallery .card")) {
    if (seen.has(card.dataset.originalId)) card.remove();
    seen.add(card.dataset.originalId);
  }
  for (const day of document.querySelectorAll("#gallery .day")) {
    const before = day.previousElementSibling;
    if (before?.dataset.day !== day.dataset.day) continue;
    before.querySelector(".cards").append(...day.querySelector(".cards").children);
    day.remove();
  }
  removeEmptyDays();
  watch();
}

export function removeEmptyDays() {
  for (const day of document.querySelectorAll("#gallery .day")) {
    if (!day.querySelector(".card")) day.remove();
  }
}

// A card keeps the place that it was given before anybody knew its size: nothing moves under the reader's eyes.
export function hold(old, fresh) {
  if (!old.matches(".card")) return;
  const held = old.matches(".open") ? getComputedStyle(old).getPropertyValue("--ratio") : old.style.getPropertyValue("--held");
  if (!held) return;
  fresh.style.setProperty("--held", held);
  fresh.style.setProperty("--ratio", held, "important");
  fresh.style.minWidth = "0";
}

const nearing = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) target.click();
}, { rootMargin: `0px 0px ${AHEAD}` });

function watch() {
  nearing.disconnect();
  const more = gallery?.querySelector(".more");
  if (more) nearing.observe(more);
}

watch();
