// The history: what was done, the last step first; a click on a step undoes or redoes everything up to it. Below, what the
// last tracking runs replaced, which can be looked at and brought back.

import * as history from "../painting/history.js";
import { look } from "../time/look.js";
import { canvas } from "../canvas/view.js";
import { attempt } from "../page/messages.js";
import { closeDialog, dialog, el } from "../page/ui.js";

export async function openHistory() {
  const [steps, versions] = await history.listing();
  const current = steps.findLast(({ undone }) => !undone)?.id ?? 0;
  const rows = [...steps.reverse(), { id: 0, title: "Before the first step", frame: null, time: null, undone: false }];
  const list = rows.map((step) => el("li", {}, row(step, current)));
  const words = el("p.quiet", {}, "Click a step to go back, or forth again, to what the project was right after it.");
  const content = [words, el("ol.history.listing", {}, ...list)];
  if (versions.length) content.push(el("h3", {}, "Masks before each tracking run"), el("ul.listing", {}, ...versions.reverse().map(runRow)));
  await dialog("History", content, [{ label: "Close" }]);
}

function runRow({ id, title, time }) {
  const button = (label, act, says) => el("button.button.small", {
    type: "button", "aria-label": `${label} what was before: ${title}`, title: says,
    onclick: () => {
      closeDialog();
      attempt(() => act(id));
      canvas.focus({ preventScroll: true }); // keys are shortcuts again
    },
  }, label);
  return el("li.row.pad", {}, el("span.grow", {}, title), el("span.quiet", {}, clock(time)),
    button("Look at", look, "Show these masks and compare them with those of now; nothing is changed"),
    button("Bring back", history.bringBack, "Make these the tracked masks again. Painted and accepted frames stay. Undo takes it back"));
}

function row({ id, title, frame, time, undone }, current) {
  const go = () => {
    closeDialog();
    if (id !== current) attempt(() => history.goToStep(id, { back: id < current }));
  };
  const parts = [frame === null ? "" : `frame ${frame}`, time === null ? "" : clock(time)];
  return el(undone ? "button.undone" : "button", {
    type: "button", onclick: go, "aria-current": id === current ? "step" : null,
  }, el("span.grow", {}, title), el("span.quiet", {}, undone ? "undone" : ""), ...parts.map((part) => el("span.quiet", {}, part)));
}

/** The time of today, or the day. */
export function clock(seconds) {
  const time = new Date(1000 * seconds);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : time.toLocaleDateString();
}
