// The keys, and the page that lists them.

import * as history from "../painting/history.js";
import * as pointing from "../painting/pointing.js";
import { addObject } from "../panels/objects.js";
import { nextReview, toggleBefore, toggleHeat } from "../time/review.js";
import { goTo, set, store } from "./store.js";
import { chooseTool, drawingKey, giveUp, toolKeys, toolTitles } from "../painting/tools.js";
import { isTracking, stop, track } from "../time/track.js";
import { toggleAccept, togglePlay } from "../time/transport.js";
import { openExport } from "../panels/exporting.js";
import { $, attempt, dialog, el } from "./ui.js";
import * as view from "../canvas/view.js";

let covered = null; // the overlay's opacity while it is switched off

const resize = (factor) => set({ size: Math.max(1, Math.min(200, Math.round(store.size * factor + Math.sign(factor - 1)))) });

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
  ["n", "N", "Next frame of the review list", nextReview],
  ["a", "A", "Accept the frame, or reopen it", toggleAccept],
  ["t", "T", "Track forward", () => track("forward")],
  ["Shift+T", "Shift T", "Track in both directions", () => track("both")],
  ["o", "O", "New object", addObject],
  ["[", "[", "Smaller brush", () => resize(1 / 1.2)],
  ["]", "]", "Larger brush", () => resize(1.2)],
  ["q", "Q", "Overlay off or on", toggleOverlay],
  ["v", "V", "Before or after correction", toggleBefore],
  ["g", "G", "Heat map of the chosen object", toggleHeat],
  ["Ctrl+z", "Ctrl Z", "Undo", () => attempt(pointing.undo)],
  ["Ctrl+Z", "Ctrl Shift Z", "Redo", () => attempt(history.redo)],
  ["Ctrl+e", "Ctrl E", "Export", openExport],
  ["+", "+", "Zoom in", () => view.zoomBy(1.25)],
  ["-", "−", "Zoom out", () => view.zoomBy(0.8)],
  ["0", "0", "Whole frame", view.fit],
  ["#", "#", "Native size: one video pixel per screen pixel", view.nativeSize],
  ["Escape", "Esc", "Discard the shape, end pointing, or stop tracking", () => giveUp() || (isTracking() && stop())],
  ["?", "?", "These keys", showShortcuts],
];
const ALSO = { "Ctrl+y": "Ctrl+Z", "=": "+", "Ctrl+Shift+z": "Ctrl+Z", "Shift+t": "Shift+T", N: "n", A: "a" };
const byKey = new Map(ACTIONS.map(([key, , , act]) => [key, act]));

function nameOf({ key, ctrlKey, metaKey, shiftKey }) {
  if (ctrlKey || metaKey) return `Ctrl+${key}`;
  return shiftKey && (key.startsWith("Arrow") || key === "T") ? `Shift+${key}` : key;
}

function press(event) {
  if (!store.project || $("dialog").open || event.isComposing) return;
  const { target, key } = event;
  if (target.matches("input[type=text], input[type=number], select")) return;
  const moves = key.startsWith("Arrow") || key === "Home" || key === "End";
  if (target.matches("input[type=range]") && moves) return;
  if (drawingKey(event)) {
    event.preventDefault();
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
  const name = nameOf(event);
  const known = byKey.get(ALSO[name] ?? name);
  if (known) return known;
  if (event.ctrlKey || event.metaKey) return name === "Ctrl+s" ? () => {} : null; // all is saved: no dialog of the browser
  const tool = toolKeys[event.key.toLowerCase()];
  if (tool) return () => chooseTool(tool);
  const info = store.project.objects[Number(event.key) - 1];
  return info ? () => set({ object: info.id }) : null;
}

function showShortcuts() {
  const rows = [
    ...toolTitles,
    ["Alt click", "Point: take away"],
    ["Drag", "Point: box"],
    ["Ctrl drag", "Point: stroke"],
    ["Tab", "Point: next candidate"],
    ["Shift", "Point: preview"],
    ["1 … 9", "Choose an object"],
    ...ACTIONS.map(([, shown, words]) => [shown, words]),
    ["Shift wheel", "Step through the frames"],
    ["Wheel", "Zoom at the pointer"],
    ["Alt arrows", "Move the pointer; Enter paints"],
  ];
  const list = rows.map(([keys, words]) => el("div", {}, el("span", {}, words), el("kbd", {}, keys)));
  return dialog("Keyboard and mouse", [el("div.shortcuts", {}, ...list)], [{ label: "Close", primary: true }], { wide: true });
}

addEventListener("keydown", press);
$("help").addEventListener("click", showShortcuts);
