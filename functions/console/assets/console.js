"use strict";
const parse = (html) => new DOMParser().parseFromString(html, "text/html");

// A notice of a running job is replaced by the next one, after the pause that it names.
const poll = () => {
  const notice = document.querySelector("[data-poll]");
  if (!notice) return;
  let pause = Number(notice.dataset.pause);
  const look = async () => {
    if (!notice.isConnected) return;
    try {
      const response = await fetch(notice.dataset.poll);
      const next = parse(await response.text()).querySelector("#notice");
      if (response.redirected || !next) return;
      const hadFocus = notice.contains(document.activeElement);
      next.removeAttribute("autofocus");
      notice.replaceWith(next);
      if (hadFocus) next.focus();
      poll();
    } catch {
      pause *= 2;
      setTimeout(look, pause);
    }
  };
  setTimeout(look, pause);
};
poll();

// A button with data-replace="#id" sends its form, and replaces only that part of the page by that of the answer.
addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter, part = button?.dataset.replace;
  if (!part || event.defaultPrevented) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, button));
  form.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(form.action, { method: "POST", body });
    const next = parse(await response.text()).querySelector(part);
    const old = document.querySelector(part);
    if (response.redirected || !next || !old) return location.assign(response.url);
    const focused = document.activeElement?.id;
    old.replaceWith(next);
    const same = next.querySelector(`button[name="${button.name}"][value="${button.value}"]`);
    (next.querySelector("[autofocus]") ?? document.getElementById(focused) ?? same ?? next).focus();
  } catch {
    delete button.dataset.replace;
    form.requestSubmit(button);
  } finally {
    form.removeAttribute("aria-busy");
  }
});

// Esc leaves a dialog as its Cancel link does.
addEventListener("keydown", ({ key, isComposing }) => {
  if (key === "Escape" && !isComposing) document.querySelector("dialog .cancel")?.click();
});

// A checkbox with data-all selects every row of its table.
const rows = (all) => [...all.closest("table").querySelectorAll("tbody input[type=checkbox]:not(:disabled)")];
for (const all of document.querySelectorAll("[data-all]")) all.hidden = false;
addEventListener("change", ({ target }) => {
  const table = target.closest("table");
  const all = table?.querySelector("[data-all]");
  if (!all) return;
  if (target === all) for (const row of rows(all)) row.checked = all.checked;
  const chosen = rows(all).filter((row) => row.checked).length;
  all.checked = chosen > 0 && chosen === rows(all).length;
  all.indeterminate = chosen > 0 && !all.checked;
});
