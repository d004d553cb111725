// The quality that suits the screen, and another one on request, at the same second.

const player = document.getElementById("player");

function play(url) {
  const { currentTime, paused, playbackRate } = player;
  player.src = url;
  player.currentTime = currentTime;
  player.playbackRate = playbackRate;
  if (!paused) player.play();
}

function suitScreen() {
  const select = document.getElementById("quality");
  const lines = Math.min(screen.width, screen.height) * devicePixelRatio;
  const chosen = select.selectedOptions[0];
  const fitting = [...select.options].find((option) => Number(option.dataset.lines) <= lines) ?? [...select.options].at(-1);
  if (Number(fitting.dataset.lines) < Number(chosen.dataset.lines)) {
    fitting.selected = true;
    player.src = fitting.value;
  }
}

if (player && document.getElementById("quality")) suitScreen();
document.addEventListener("change", (event) => {
  if (event.target.id === "quality") play(event.target.value);
});
