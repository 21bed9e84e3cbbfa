// Undo and redo: what each stroke changed, as the rectangle before and after it.

import * as masks from "./masks.js";
import { cut, paste } from "./raster.js";
import { emit, goTo, on, store } from "./store.js";

const ROOM = 96 * 2 ** 20; // bytes
let done = [];
let undone = [];

/** Remember a stroke: the mask has its new state, `before` is a copy of the old one. */
export function record(frame, rect, before, wasMarked) {
  const { width } = store.project;
  const { ids } = masks.peek(frame);
  done.push({ frame, rect, before: cut(before, rect, width), after: cut(ids, rect, width), wasMarked });
  undone = [];
  let size = done.reduce((sum, { before: piece }) => sum + 2 * piece.length, 0);
  while (size > ROOM && done.length > 1) size -= 2 * done.shift().before.length;
  emit("history");
}

export const canUndo = () => done.length > 0;
export const canRedo = () => undone.length > 0;

export async function undo() {
  const entry = done.pop();
  if (!entry) return;
  undone.push(entry);
  await show(entry, entry.before);
  // The stroke that first marked the frame is taken back: so is the mark.
  if (!entry.wasMarked && !done.some(({ frame }) => frame === entry.frame)) await masks.forget(entry.frame);
}

export async function redo() {
  const entry = undone.pop();
  if (!entry) return;
  done.push(entry);
  await show(entry, entry.after);
}

async function show(entry, piece) {
  goTo(entry.frame);
  const { ids } = await masks.load(entry.frame);
  paste(ids, entry.rect, piece, store.project.width);
  masks.changed(entry.frame);
  emit("painted", entry.rect);
  emit("history");
}

/** A frame was changed elsewhere: its strokes cannot be taken back any more. */
function forget(frame) {
  done = done.filter((entry) => entry.frame !== frame);
  undone = undone.filter((entry) => entry.frame !== frame);
  emit("history");
}

on("conflict", forget);
on("project", () => {
  done = [];
  undone = [];
  emit("history");
});
