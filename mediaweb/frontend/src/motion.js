// What moves by itself: a film's card while it is looked at, an animation on its page; never against the reader's wish.
const CARD = ".card[data-preview]";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function begin(card) {
  if (!card || calm.matches || card.querySelector("video")) return;
  const video = document.createElement("video");
  Object.assign(video, { src: card.dataset.preview, muted: true, loop: true, playsInline: true });
  video.setAttribute("aria-hidden", "true");
  video.addEventListener("error", () => video.remove());
  card.querySelector(".length").before(video);
  video.play().catch(() => video.remove()); // gone from the page meanwhile, or its link is too old
}

function end(event) {
  const card = event.target.closest?.(CARD);
  if (card && !card.contains(event.relatedTarget)) card.querySelector("video")?.remove();
}

function rest(root) {
  const animation = calm.matches && root.querySelector("video.animation");
  if (!animation) return;
  animation.autoplay = false;
  animation.pause();
}

for (const type of ["pointerover", "focusin"]) document.addEventListener(type, (event) => begin(event.target.closest?.(CARD)));
for (const type of ["pointerout", "focusout"]) document.addEventListener(type, end);
document.addEventListener("placed", (event) => rest(event.target));
rest(document);
