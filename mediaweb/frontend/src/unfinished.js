// Uploads that broke off with their page: the server knows how far they came, and the same file goes on with them.
import { lockOf, offsetOf, terminate } from "./wire.js";
import { size, word } from "./words.js";

const PATIENCE = 1500; // ms: a page that was left lets go of its uploads in less
const settling = new Map([...document.querySelectorAll("#unfinished [data-url]")].map((row) => [row, settle(row)]));

const rowOf = (file) => [...settling.keys()].find(({ dataset, isConnected }) => isConnected && dataset.name === file.name
  && Number(dataset.bytes) === file.size && Number(dataset.modified) === file.lastModified);

// The row of the upload that this file began, if there is one and no other tab is sending it.
export async function begun(file) {
  const found = rowOf(file);
  if (!found) return undefined;
  await Promise.race([settling.get(found), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  return found.isConnected && "settled" in found.dataset ? found : undefined;
}

document.getElementById("unfinished")?.addEventListener("click", (event) => {
  const row = event.target.closest("[data-url]");
  if (event.target.closest("[data-do=choose]")) document.querySelector("#zone input[name=file]").click();
  if (event.target.closest("[data-do=cancel]")) giveUp(row);
});

// What another tab is sending is not unfinished: it is shown once that tab has let go of it and left something over.
async function settle(row) {
  const name = lockOf(row.dataset.url);
  const isFree = !navigator.locks || (await navigator.locks.request(name, { mode: "shared", ifAvailable: true }, Boolean));
  if (!isFree) {
    await navigator.locks.request(name, { mode: "shared" }, () => {});
    await look(row);
  }
  row.dataset.settled = "";
}

function tell(row, offset) {
  row.querySelector("progress").value = offset;
  const facts = row.querySelector(".facts");
  const [, ...rest] = facts.textContent.split(" · ");
  facts.textContent = [word("of", { DONE: size(offset), TOTAL: size(Number(row.dataset.bytes)) }), ...rest].join(" · ");
}

async function look(row) {
  const offset = await offsetOf(row.dataset.url).catch(() => undefined);
  if (offset === undefined) return; // nobody could say
  if (offset === null || offset === Number(row.dataset.bytes)) row.remove();
  else tell(row, offset);
}

// Gives up what this file began, however long who was at it takes to let go.
export async function giveUpBegun(file) {
  const row = rowOf(file);
  await settling.get(row);
  if (row?.isConnected) giveUp(row);
}

async function giveUp(row) {
  const answer = row && (await terminate(row.dataset.url).catch(() => null));
  if (answer?.ok || answer?.status === 404) row.remove();
}
