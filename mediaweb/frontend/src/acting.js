// Retry and cancel without leaving the page; without scripts the same buttons post and load a page.
import { refresh } from "./live.js";

document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  const acting = submitter?.closest("[data-act]") ?? form.closest("[data-act]");
  if (!acting) return;
  event.preventDefault();
  submitter.disabled = true;
  const action = submitter.getAttribute("formaction") ?? form.action;
  const body = new FormData(form);
  body.delete("run");
  await fetch(action, { method: "POST", body }).catch(() => null);
  submitter.disabled = false;
  refresh(submitter.closest("[data-original-id]").dataset.originalId);
});

// A filter applies as soon as it is chosen.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submits]")) event.target.form.requestSubmit();
});
