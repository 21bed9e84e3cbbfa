// What the panel of edits offers: ways, objects, numbers, and how its controls are labelled.

import { store } from "../page/store.js";
import { el } from "../page/ui.js";

export const SURGERY = [
  ["swap", "Swap with"], ["merge", "Merge into"], ["move", "Move to another number"], ["delete", "Delete its pixels"],
  ["split", "Split a piece off"],
];
// [way, words, unit of the slider or null, least, start, most]
export const WAYS = [
  ["grow", "Grow", "by", 1, 3, 40], ["shrink", "Shrink", "by", 1, 3, 40], ["smooth", "Smooth", "by", 1, 4, 40],
  ["fill", "Fill holes", null, 0, 0, 0], ["small", "Drop small pieces", "below", 1, 200, 5000],
  ["away", "Drop pieces away from the largest", "farther than", 0, 0, 400], ["snap", "Snap to the picture's edges", "within", 1, 4, 20],
];

/** The last frame's index. */
export const last = () => store.project.frames - 1;

export const options = (entries, chosen) => entries.map(([value, words]) => el("option", { value, selected: value === chosen }, words));

/** A control with its name before it. */
export function row(words, control) {
  control.setAttribute("aria-label", words);
  return el("label.edit-row", {}, el("span", {}, words), control);
}

/** The objects, as entries of a list. */
export const names = () => store.project.objects.map(({ id, name }) => [String(id), name]);

/** The numbers that no object has. */
export function freeNumbers() {
  const taken = new Set(store.project.objects.map(({ id }) => id));
  return Array.from({ length: 255 }, (_, k) => k + 1).filter((id) => !taken.has(id)).map((id) => [String(id), String(id)]);
}

/** How many accepted frames lie between two frames, both included. */
export function acceptedFrames(first, until) {
  return Object.entries(store.project.marks).filter(([at, { accepted }]) => accepted && at >= first && at <= until).length;
}
