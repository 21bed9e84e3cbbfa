// The keys, and the page that lists them.

import { carryingKey } from "../painting/carrying.js";
import * as history from "../painting/history.js";
import * as pointing from "../painting/pointing.js";
import { closeEdits, toggleEdits } from "../panels/edits.js";
import { addObject, numberKey } from "../panels/objects.js";
import { toggleGone } from "../time/gone.js";
import { markIn, markOut } from "../time/range.js";
import { nextReview, previousReview, toggleHeat } from "../time/review.js";
import { goTo, set, store } from "./store.js";
import { chooseTool, drawingKey, giveUp, largestBrush, toolKeys, toolTitles } from "../painting/tools.js";
import { isTracking, stop, track } from "../time/track.js";
import { toggleLoop, togglePlay } from "../time/playback.js";
import { toggleAccept } from "../time/transport.js";
import { openExport } from "../panels/exporting.js";
import { openHistory } from "../panels/history.js";
import { $, attempt, dialog, el } from "./ui.js";
import * as view from "../canvas/view.js";
import { holdBefore, nextView, zoomToObject } from "../canvas/views.js";

let covered = null; // the overlay's opacity while it is switched off

const resize = (factor) => set({ size: Math.max(1, Math.min(largestBrush(), Math.round(store.size * factor + Math.sign(factor - 1)))) });

function toggleOverlay() {
  if (store.opacity > 0) covered = store.opacity;
  set({ opacity: store.opacity > 0 ? 0 : (covered ?? 0.45) });
}

const ACTIONS = [
  ["ArrowLeft", "←", "Previous frame", () => goTo(store.frame - 1)],
  ["ArrowRight", "→", "Next frame", () => goTo(store.frame + 1)],
  ["Shift+ArrowLeft", "Shift ←", "Ten frames back", () => goTo(store.frame - 10)],
  ["Shift+ArrowRight", "Shift →", "Ten frames on", () => goTo(store.frame + 10)],
  ["Home", "Home", "First frame", () => goTo(0)],
  ["End", "End", "Last frame", () => goTo(Infinity)],
  [" ", "Space", "Play or pause", togglePlay],
  ["l", "L", "Play in a loop, or once", toggleLoop],
  ["n", "N", "Next frame of the review list, the least reliable first", nextReview],
  ["Shift+n", "Shift N", "Back in the review list", previousReview],
  ["a", "A", "Accept the frame, or reopen it", toggleAccept],
  ["t", "T", "Track forward", () => track("forward")],
  ["Shift+t", "Shift T", "Track in both directions", () => track("both")],
  ["i", "I", "Track from here: in point; again to remove it", markIn],
  ["o", "O", "Track up to here: out point; again to remove it", markOut],
  ["m", "M", "New object", addObject],
  ["s", "S", "Objects over time: swap, merge, split, delete", () => toggleEdits("objects")],
  ["k", "K", "Finish edges: grow, smooth, snap, drop pieces", () => toggleEdits("edges")],
  ["[", "[", "Smaller brush", () => resize(1 / 1.2)],
  ["]", "]", "Larger brush", () => resize(1.2)],
  ["q", "Q", "Overlay off or on", toggleOverlay],
  ["v", "V", "Next view", () => nextView()],
  ["w", "W (hold)", "The mask before its correction", holdBefore],
  ["z", "Z", "Zoom to the chosen object; again: whole frame", zoomToObject],
  ["g", "G", "The chosen object is gone here, or in the range; or there again", toggleGone],
  ["u", "U", "Heat map of what the network relies on for the chosen object", toggleHeat],
  ["Ctrl+z", "Ctrl Z", "Undo", () => attempt(pointing.undo)],
  ["Ctrl+Shift+z", "Ctrl Shift Z", "Redo", () => attempt(history.redo)],
  ["h", "H", "History", () => attempt(openHistory)],
  ["Ctrl+e", "Ctrl E", "Export", openExport],
  ["+", "+", "Zoom in", () => view.zoomBy(1.25)],
  ["-", "−", "Zoom out", () => view.zoomBy(0.8)],
  ["0", "0", "Whole frame", view.fit],
  ["#", "#", "Native size: one video pixel per screen pixel", view.nativeSize],
  ["Escape", "Esc", "Discard the shape, end pointing, close the panel, or stop tracking", () => giveUp() || closeEdits() || (isTracking() && stop())],
  ["?", "?", "These keys", showShortcuts],
];
const ALSO = { "Ctrl+y": "Ctrl+Shift+z", "=": "+", "Shift+a": "a" };
const byKey = new Map(ACTIONS.map(([key, , , act]) => [key, act]));

/** What is pressed, in words: "Ctrl+Shift+z". Letters are small, since Caps Lock makes them large; Shift is told by itself. */
function nameOf({ key, ctrlKey, metaKey, shiftKey }) {
  const isLetter = /^\p{L}$/u.test(key);
  const shift = shiftKey && (isLetter || key.startsWith("Arrow")) ? "Shift+" : "";
  return `${ctrlKey || metaKey ? "Ctrl+" : ""}${shift}${isLetter ? key.toLowerCase() : key}`;
}

function press(event) {
  if (!store.project || $("dialog").open || event.isComposing) return;
  const { target, key } = event;
  if (target.matches("input[type=text], input[type=number], select")) return;
  if (key === "Escape" && document.querySelector(":popover-open")) return; // which it closes
  const moves = key.startsWith("Arrow") || key === "Home" || key === "End";
  if (target.matches("input[type=range]") && moves) return;
  if (drawingKey(event)) {
    event.preventDefault();
    return;
  }
  const carry = carryingKey(event);
  if (carry) {
    event.preventDefault(); // Ctrl D is a bookmark elsewhere
    carry();
    return;
  }
  if (event.altKey) return;
  if (target.matches("button, a, summary, label, input") && (key === " " || key === "Enter")) return;
  const act = actionOf(event);
  if (!act) return;
  event.preventDefault();
  act();
}

function actionOf(event) {
  const choose = numberKey(event);
  if (choose) return choose;
  const name = nameOf(event);
  const known = byKey.get(ALSO[name] ?? name);
  if (known) return known;
  if (event.ctrlKey || event.metaKey) return name === "Ctrl+s" ? () => {} : null; // all is saved: no dialog of the browser
  const tool = toolKeys[event.key.toLowerCase()];
  return tool ? () => chooseTool(tool) : null;
}

function showShortcuts() {
  const rows = [
    ...toolTitles,
    ["Alt click", "Point: take away"],
    ["Drag", "Point: box"],
    ["Ctrl drag", "Point: stroke"],
    ["Tab", "Point: next candidate"],
    ["Shift", "Point: preview"],
    ["1 … 99", "Choose an object: two digits within half a second"],
    ...ACTIONS.map(([, shown, words]) => [shown, words]),
    ["Ctrl D", "Copy the object's mask from the frame before"],
    ["Ctrl Shift D", "Copy it from the frame after; with Alt all masks"],
    ["Ctrl arrows", "Move the object's mask; with Shift by ten pixels"],
    ["Shift wheel", "Step through the frames"],
    ["Wheel", "Zoom at the pointer"],
    ["Alt arrows", "Move the pointer; Enter paints"],
  ];
  const list = rows.map(([keys, words]) => el("div", {}, el("span", {}, words), el("kbd", {}, keys)));
  return dialog("Keyboard and mouse", [el("div.shortcuts", {}, ...list)], [{ label: "Close", primary: true }], { wide: true });
}

addEventListener("keydown", press);
$("help").addEventListener("click", showShortcuts);
