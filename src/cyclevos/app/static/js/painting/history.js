// Undo and redo: what each stroke changed, as the rectangle before and after it.

import * as masks from "./masks.js";
import { cut, paste, union } from "../canvas/raster.js";
import { emit, goTo, on, store } from "../page/store.js";

const ROOM = 96 * 2 ** 20; // bytes
let done = [];
let undone = [];

/**
 * Remember a stroke: the mask has its new state, `before` is a copy of the old one. With `amend` it becomes one with the
 * stroke before it. `pointing` is what the tool Point wants to know when the step is undone or redone.
 */
export function record(frame, rect, before, { wasMarked, pointing = null, amend = false }) {
  const { width } = store.project;
  const { ids } = masks.peek(frame);
  if (amend) {
    const last = done.pop();
    paste(before, last.rect, last.before, width);
    rect = last.rect.w ? union(rect, last.rect) : rect;
    wasMarked = last.wasMarked;
  }
  done.push({ frame, rect, before: cut(before, rect, width), after: cut(ids, rect, width), wasMarked, pointing });
  undone = [];
  let size = done.reduce((sum, { before: piece }) => sum + 2 * piece.length, 0);
  while (size > ROOM && done.length > 1) size -= 2 * done.shift().before.length;
  emit("history");
}

/** What Point said about the last step. */
export const lastPointing = () => done.at(-1)?.pointing;

export const canUndo = () => done.length > 0;
export const canRedo = () => undone.length > 0;

export async function undo() {
  const entry = done.pop();
  if (!entry) return;
  undone.push(entry);
  await show(entry, entry.before, { back: true });
  // The stroke that first marked the frame is taken back: so is the mark.
  if (!entry.wasMarked && !done.some(({ frame }) => frame === entry.frame)) await masks.forget(entry.frame);
}

export async function redo() {
  const entry = undone.pop();
  if (!entry) return;
  done.push(entry);
  await show(entry, entry.after, { back: false });
}

async function show(entry, piece, { back }) {
  goTo(entry.frame);
  const { ids } = await masks.load(entry.frame);
  paste(ids, entry.rect, piece, store.project.width);
  masks.changed(entry.frame);
  emit("painted", entry.rect);
  emit("stepped", { entry, back });
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
