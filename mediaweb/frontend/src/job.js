// What a job did, over its run's page; without scripts, or with a key held, its bar leads to a page of its own.
const panel = document.getElementById("job");

document.addEventListener("click", async (event) => {
  const bar = event.target.closest("a[data-job]");
  if (!panel || !bar || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const response = await fetch(bar.href, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!response?.ok || response.redirected) return location.assign(bar.href);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  panel.querySelector("div").replaceChildren(document.importNode(page.querySelector("article"), true));
  panel.showPopover();
});
