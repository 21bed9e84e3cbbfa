// The keys: what each does.

import { carryingKey } from "../painting/carrying.js";
import * as history from "../painting/history.js";
import * as pointing from "../painting/pointing.js";
import { closeEdits, toggleEdits } from "../panels/edits.js";
import { addObject, numberKey } from "../panels/objects.js";
import { toggleGone } from "../time/gone.js";
import { leave } from "../time/look.js";
import { markIn, markOut } from "../time/range.js";
import { nextReview, previousReview, toggleHeat } from "../time/review.js";
import { showKeys } from "./help.js";
import { attempt } from "./messages.js";
import { goTo, set, store } from "./store.js";
import { chooseTool, drawingKey, giveUp, largestBrush, toolKeys } from "../painting/tools.js";
import { isTracking, stop, track } from "../time/track.js";
import { toggleLoop, togglePlay } from "../time/playback.js";
import { toggleAccept } from "../time/transport.js";
import { openExport } from "../panels/exporting.js";
import { openHistory } from "../panels/history.js";
import { $, icon } from "./ui.js";
import * as view from "../canvas/view.js";
import { holdBefore, nextView, zoomToObject } from "../canvas/views.js";

let covered = null; // the overlay's opacity while it is switched off

const resize = (factor) => set({ size: Math.max(1, Math.min(largestBrush(), Math.round(store.size * factor + Math.sign(factor - 1)))) });

function toggleOverlay() {
  if (store.opacity > 0) covered = store.opacity;
  set({ opacity: store.opacity > 0 ? 0 : (covered ?? 0.45) });
}

// What each key does, by what it is about: [a key or several that do the same, in words, act].
const ACTIONS = {
  "Frames": [
    ["ArrowLeft", "Previous frame", () => goTo(store.frame - 1)],
    ["ArrowRight", "Next frame", () => goTo(store.frame + 1)],
    ["Shift+ArrowLeft", "Ten frames back", () => goTo(store.frame - 10)],
    ["Shift+ArrowRight", "Ten frames on", () => goTo(store.frame + 10)],
    ["Home", "First frame", () => goTo(0)],
    ["End", "Last frame", () => goTo(Infinity)],
    [" ", "Play or pause", togglePlay],
    ["l", "Play in a loop, or once", toggleLoop],
  ],
  "Track and review": [
    ["t", "Track forward", () => track("forward")],
    ["Shift+t", "Track in both directions", () => track("both")],
    ["i", "In point: track from here; again to remove it", markIn],
    ["o", "Out point: track up to here; again to remove it", markOut],
    ["n", "Next frame of the review list; of a version: the next that differs", nextReview],
    ["Shift+n", "Back in the review list", previousReview],
    ["a", "Accept the frame, or reopen it", toggleAccept],
    ["g", "The chosen object is gone here, or there again", toggleGone],
    ["u", "Heat map: what the network relies on", toggleHeat],
  ],
  "Objects and masks": [
    ["m", "New object", addObject],
    ["s", "Over time: swap, merge, split, delete", () => toggleEdits("surgery")],
    ["k", "Edges: grow, smooth, snap, drop pieces", () => toggleEdits("edges")],
    ["Shift+k", "Islands: pieces away from their object", () => toggleEdits("islands")],
    ["[", "Smaller brush", () => resize(1 / 1.2)],
    ["]", "Larger brush", () => resize(1.2)],
  ],
  "View": [
    ["v", "Next view", () => nextView()],
    ["q", "Overlay off or on", toggleOverlay],
    ["w", "While held: the mask before its correction; of a version, then or now", holdBefore],
    ["z", "Zoom to the chosen object; again: whole frame", zoomToObject],
    [["+", "="], "Zoom in", () => view.zoomBy(1.25)],
    ["-", "Zoom out", () => view.zoomBy(0.8)],
    ["0", "Whole frame", view.fit],
    ["#", "Native size: a video pixel per screen pixel", view.nativeSize],
  ],
  "Project": [
    ["Ctrl+z", "Undo", () => attempt(pointing.undo)],
    [["Ctrl+Shift+z", "Ctrl+y"], "Redo", () => attempt(history.redo)],
    ["h", "History", () => attempt(openHistory)],
    ["Ctrl+e", "Export", openExport],
    ["Ctrl+s", "Nothing: everything is saved by itself", () => {}], // no dialog of the browser
    ["Escape", "Discard the shape, end pointing, close the edit, go back to now, or stop tracking", () => giveUp() || closeEdits() || leave() || (isTracking() && stop())],
    ["?", "These keys", () => showKeys(ACTIONS)],
  ],
};
const byKey = new Map(Object.values(ACTIONS).flat().flatMap(([keys, , act]) => [keys].flat().map((key) => [key, act])));

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
  if (target.matches("button, a, summary, label, input") && (key === " " || key === "Enter")) return;
  const act = actionOf(event);
  if (!act) return;
  event.preventDefault();
  act();
}

/** What a key does outside of text fields and of what is being drawn; null if nothing. */
export function actionOf(event) {
  const carry = carryingKey(event);
  if (carry || event.altKey) return carry;
  const name = nameOf(event);
  const tool = toolKeys[name];
  return numberKey(event) ?? byKey.get(name) ?? (tool ? () => chooseTool(tool) : null);
}

addEventListener("keydown", press);
$("help").addEventListener("click", () => showKeys(ACTIONS));
$("open-history").append(icon("history"));
$("open-history").addEventListener("click", () => attempt(openHistory));
