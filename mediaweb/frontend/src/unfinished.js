// Uploads that broke off with their page: the server knows how far they came, and the same file goes on with them.
import { terminate } from "./uplink.js";

const rows = () => [...document.querySelectorAll("#unfinished [data-url]")];

// The row of the upload that this file began, if there is one.
export function begun(file) {
  return rows().find(({ dataset }) => dataset.name === file.name && Number(dataset.bytes) === file.size
    && Number(dataset.modified) === file.lastModified);
}

document.getElementById("unfinished")?.addEventListener("click", (event) => {
  const row = event.target.closest("[data-url]");
  if (event.target.closest("[data-do=choose]")) document.querySelector("#zone input[name=file]").click();
  if (event.target.closest("[data-do=cancel]")) giveUp(row);
});

export async function giveUp(row) {
  const answer = row && (await terminate(row.dataset.url).catch(() => null));
  if (answer?.ok || answer?.status === 404) row.remove();
}
