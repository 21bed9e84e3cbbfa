// While a version of the masks is looked at: a bar over the frame, with then or now, bringing it back and going back to now;
// which version it is and how it differs stands below the frame.

import * as history from "../painting/history.js";
import { covers, leave } from "../time/look.js";
import { clock } from "./history.js";
import { attempt } from "../page/messages.js";
import { on, set, store } from "../page/store.js";
import { $, counted, el, pressed } from "../page/ui.js";
import { canvas } from "../canvas/view.js";

const SIDES = {
  then: ["Then", "The masks as they were before the run; hold W for those of now"],
  difference: ["Difference", "What is shown now and was not then, and the other way round"],
  now: ["Now", "The masks as they are now; hold W for those of then"],
};
const bar = el("div.look", { id: "look", role: "region", "aria-label": "Version", hidden: true });
const which = el("strong");
const note = el("span.quiet");
const words = el("div.hint", { id: "look-words", role: "status", hidden: true }, el("p", {}, which, " ", note));
const buttons = Object.fromEntries(Object.entries(SIDES).map(([side, [label, title]]) => [side, el("button", {
  type: "button", title,
  onclick: ({ detail }) => {
    set({ side });
    if (detail) canvas.focus({ preventScroll: true }); // after a click, keys are shortcuts again
  },
}, label)]));

function bringBack() {
  const { id } = store.look;
  attempt(() => history.bringBack(id));
}

function goBack() {
  leave();
  canvas.focus({ preventScroll: true });
}

bar.append(
  el("div.segmented.small", { role: "group", "aria-label": "Which masks" }, ...Object.values(buttons)),
  el("button.button.small", {
    id: "look-bring-back", type: "button", onclick: bringBack,
    title: "Make these the tracked masks again. Painted and accepted frames stay. Undo takes it back",
  }, "Bring back"),
  el("button.button.primary.small", { id: "look-leave", type: "button", onclick: goBack, title: "Go on with the masks as they are now (Esc)" }, "Back to now"),
);

function show() {
  const { look } = store;
  bar.hidden = !look;
  words.hidden = !look;
  bar.parentElement.classList.toggle("looking", Boolean(look));
  if (!look) return;
  which.replaceChildren(el("span.wide", {}, "You are looking at the masks before "), el("span.narrow", {}, "Before "), `"${look.title}", ${clock(look.time)}.`);
  for (const [side, button] of Object.entries(buttons)) pressed(button, store.side === side);
  showNote();
}

function showNote() {
  if (!store.look) return;
  note.textContent = comparison();
}

/** How the frame that is shown differs from now, in words. */
function comparison() {
  const { look, frame, project } = store;
  if (!covers(frame)) return "The run left this frame alone: it is shown as it is now.";
  const compared = look.difference[frame];
  if (!compared) return "Comparing…";
  const words = compared.pixels ? `Differs from now by ${counted(compared.pixels, "pixel")}.` : "As now in this frame.";
  return project.marks[frame] ? `${words} Bring back leaves what you painted or accepted here.` : words;
}

document.querySelector(".stage-bar").prepend(bar);
$("notices").prepend(words);
on("look side", show);
on("frame frames compared", showNote);
