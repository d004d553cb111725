// Where an original belongs: on the desk, in progress, or in its day of the gallery, newest first.

export function place(element) {
  document.querySelector(".nothing")?.remove();
  if (element.matches(".card")) placeCard(element);
  else document.querySelector("#rows, #open").prepend(element);
}

function placeCard(card) {
  const cards = dayOf(card).querySelector(".cards");
  const older = [...cards.children].find((other) => other.dataset.created < card.dataset.created);
  cards.insertBefore(card, older ?? null);
}

function dayOf(card) {
  const gallery = document.getElementById("gallery");
  const days = [...gallery.querySelectorAll(".day")];
  const found = days.find((day) => day.dataset.day === card.dataset.day);
  if (found) return found;
  const day = document.createElement("section");
  day.className = "day";
  day.dataset.day = card.dataset.day;
  const title = document.createElement("h2");
  title.textContent = card.dataset.dayName;
  const cards = document.createElement("div");
  cards.className = "cards";
  day.append(title, cards);
  const older = days.find((other) => other.dataset.day < card.dataset.day);
  gallery.insertBefore(day, older ?? gallery.querySelector(".more"));
  return day;
}

// A later page may begin in the day where the page before it ended.
export function mergeDays() {
  for (const day of document.querySelectorAll(".day")) {
    const before = day.previousElementSibling;
    if (before?.dataset.day !== day.dataset.day) continue;
    before.querySelector(".cards").append(...day.querySelector(".cards").children);
    day.remove();
  }
}

export function removeEmptyDays() {
  for (const day of document.querySelectorAll(".day")) {
    if (!day.querySelector(".card")) day.remove();
  }
}
