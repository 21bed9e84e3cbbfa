// The right side: objects, then the review list or an edit, and tracking. Its sections fold; nothing lies over the picture.

import { on, set, store } from "../page/store.js";
import { $, pressed } from "../page/ui.js";

const TABS = ["review", "surgery", "edges", "islands"];

/** Fold a section to its heading, or unfold it; the browser remembers which are folded. */
function fold(button, isFolded) {
  const body = $(button.getAttribute("aria-controls"));
  button.setAttribute("aria-expanded", String(!isFolded));
  body.hidden = isFolded;
  body.closest(".section").classList.toggle("folded", isFolded);
}

for (const button of document.querySelectorAll(".fold")) {
  const kept = `cyclevos-folded-${button.getAttribute("aria-controls")}`;
  fold(button, localStorage.getItem(kept) === "true");
  button.addEventListener("click", () => {
    const isFolded = button.getAttribute("aria-expanded") === "true";
    fold(button, isFolded);
    localStorage.setItem(kept, isFolded);
  });
}

/** Open a popover above or below its button, where there is more room. */
function place(popover, button) {
  const { top, bottom } = button.getBoundingClientRect();
  const isBelow = top < innerHeight / 2;
  Object.assign(popover.style, {
    top: isBelow ? `${bottom + 6}px` : "auto",
    bottom: isBelow ? "auto" : `${innerHeight - top + 6}px`,
    maxHeight: `${(isBelow ? innerHeight - bottom : top) - 14}px`,
  });
}

for (const button of document.querySelectorAll("[popovertarget]")) {
  const popover = $(button.getAttribute("popovertarget"));
  popover.addEventListener("beforetoggle", ({ newState }) => newState === "open" && place(popover, button));
}
for (const name of TABS) $(`tab-${name}`).addEventListener("click", () => set({ tab: name }));
on("tab", () => {
  for (const name of TABS) pressed($(`tab-${name}`), store.tab === name);
  $("review-panel").hidden = store.tab !== "review";
  $("edits").hidden = store.tab === "review";
  $("side").scrollTop = $("lower").offsetTop; // in a low window the side scrolls as a whole
});
on("project", () => set({ tab: "review" }));
