// What cannot be undone asks first, in a dialog; without scripts the same question is a page.

export const sure = document.getElementById("sure");
export const page = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (!submitter?.matches("[data-asks]")) return;
  event.preventDefault();
  const body = new FormData(form);
  const action = submitter.getAttribute("formaction") ?? form.action;
  const answer = await fetch(action, { method: "POST", body, headers: { "HX-Request": "true" } });
  sure.replaceChildren(...(await page(answer)).body.childNodes);
  sure.showPopover();
  sure.querySelector("[data-keeps]").focus();
});

sure?.addEventListener("click", (event) => {
  if (!event.target.closest("[data-keeps]")) return;
  event.preventDefault();
  sure.hidePopover();
});
