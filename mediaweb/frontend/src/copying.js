// Copy a link or a command; the icon says that it worked.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy;
  await navigator.clipboard.writeText(text.startsWith("/") ? location.origin + text : text);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
});
