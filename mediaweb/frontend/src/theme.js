// Runs before the first paint: the theme that was chosen, and the word that scripts are on.
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
document.documentElement.classList.add("scripted");
