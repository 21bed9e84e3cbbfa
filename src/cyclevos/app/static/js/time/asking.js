// A question or a note over the canvas, with what can be done about it.

import { on } from "../page/store.js";
import { $, el } from "../page/ui.js";

let lasting = false;

/** Show a text and buttons, {label, act}; it goes when one is pressed and, unless it lasts, with the frame. */
export function ask(text, actions, { lasts = false } = {}) {
  lasting = lasts;
  const button = ({ label, act, primary }) => el(`button.button.small${primary ? ".primary" : ""}`, {
    type: "button",
    onclick: () => {
      dismiss();
      act?.();
    },
  }, label);
  $("asked").replaceChildren(el("span", {}, text), ...actions.map(button));
  $("asked").hidden = false;
}

export function dismiss() {
  $("asked").hidden = true;
}

on("frame", () => lasting || dismiss());
on("project", dismiss);
