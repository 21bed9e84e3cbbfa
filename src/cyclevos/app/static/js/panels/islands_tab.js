// The tab of the panel of edits that says which frames have islands, and goes through them.

import { goTo, store } from "../page/store.js";
import { counted, el } from "../page/ui.js";
import { framesWithIslands } from "../time/islands.js";

let asked = 0;
const words = el("p", {});
const next = el("button.button.small", { type: "button", title: "Next frame with such a piece", onclick: goOn }, "Go to next");

function goOn() {
  const frames = framesWithIslands();
  if (frames.length) goTo(frames.find((index) => index > store.frame) ?? frames[0]);
}

export const Islands = {
  /** The rows of the tab. */
  rows: () => [
    el("div.edit-count", {}, words, next),
    el("p.quiet", {}, "Removes pieces that appear during tracking. Those that reach back to a mask of yours stay: fix that mask first."),
  ],

  /** The same as show, once, however many frames change. */
  soon() {
    asked ||= requestAnimationFrame(() => Islands.show());
  },

  /** Say how many frames have islands. */
  show() {
    asked = 0;
    if (!store.project) return;
    const count = framesWithIslands().length;
    next.disabled = !count;
    words.textContent = count
      ? `${counted(count, "tracked frame")} ${count > 1 ? "have" : "has"} a piece away from the rest.`
      : "No tracked frame has a piece away from the rest.";
  },
};
