// Masks carried over: copied from the frame before or after, and nudged by the arrow keys.

import * as edit from "./edit.js";
import * as masks from "./masks.js";
import { cut, extent, extentOf, union } from "../canvas/raster.js";
import { attempt, toast } from "../page/messages.js";
import { objectInfo, on, store } from "../page/store.js";
import * as view from "../canvas/view.js";

const PAUSE = 600; // milliseconds after which the next nudge is a step of its own
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
let burst = null; // {base, from: the object's rectangle in base, dx, dy, object, timer}

/** What a key combination carries over; null if it is none of these. */
export function carryingKey({ key, code, ctrlKey, metaKey, shiftKey, altKey }) {
  if (!ctrlKey && !metaKey) return null;
  if (key.toLowerCase() === "d" || (altKey && code === "KeyD")) return () => copyFrom(shiftKey ? 1 : -1, { all: altKey });
  const way = ARROWS[key];
  if (!way || altKey) return null;
  const by = shiftKey ? 10 : 1;
  return () => nudge(by * way[0], by * way[1]);
}

/** Give the chosen object, or all objects, the mask that it has one frame before (-1) or after (1). */
function copyFrom(step, { all = false } = {}) {
  return attempt(async () => {
    endBurst();
    const { frame, project, object } = store;
    const beside = frame + step;
    if (beside < 0 || beside >= project.frames) {
      toast(step < 0 ? "This is the first frame: there is none before it." : "This is the last frame: there is none after it.");
      return;
    }
    if (!all && !object) {
      toast("Choose an object first: its mask is copied.");
      return;
    }
    const { ids: source } = await masks.load(beside);
    if (store.frame !== frame || store.object !== object) return;
    const { width, height } = project;
    const from = all ? extent(source, width, height) : extentOf(source, object, width);
    if (!from) {
      toast(all ? `No object has a mask in frame ${beside}.` : `${name(object)} has no mask in frame ${beside}.`);
      return;
    }
    if (!edit.begin()) return;
    const { ids } = view.shown.owner;
    const rect = union(from, all ? extent(ids, width, height) : extentOf(ids, object, width));
    edit.put(rect, all ? withAll(ids, source, rect) : withObject(ids, source, rect, object));
    edit.end({ title: `Copy ${all ? "all masks" : name(object)} from frame ${beside}` });
  });
}

const name = (object) => objectInfo(object)?.name ?? "The chosen object";

/** A rectangle in which one object has the mask of another frame. */
function withObject(ids, source, rect, object) {
  const { width } = store.project;
  const theirs = cut(source, rect, width);
  return cut(ids, rect, width).map((id, at) => (theirs[at] === object ? object : id === object ? 0 : id));
}

/** A rectangle in which all objects have the masks of another frame; those that are locked stay as they are. */
function withAll(ids, source, rect) {
  const { objects, width } = store.project;
  const locked = new Set(objects.filter((each) => each.locked).map(({ id }) => id));
  const mine = cut(ids, rect, width);
  return cut(source, rect, width).map((id, at) => (locked.has(id) ? mine[at] : id));
}

/** Move the mask of the chosen object by pixels. Nudges that follow each other at once are one step of undo. */
function nudge(dx, dy) {
  if (!burst && !beginBurst()) return;
  clearTimeout(burst.timer);
  burst.timer = setTimeout(endBurst, PAUSE);
  const before = moved(burst);
  burst.dx += dx;
  burst.dy += dy;
  const rect = [before, moved(burst)].reduce((sum, each) => union(sum, each), burst.from);
  edit.put(rect, shifted(burst, rect));
}

function beginBurst() {
  if (!edit.allowed()) return false;
  const { width } = store.project;
  const from = view.shown && store.object && extentOf(view.shown.ids, store.object, width);
  if (!from) {
    toast(`${name(store.object)} has no mask in this frame that could be moved.`);
    return false;
  }
  if (!edit.begin()) return false;
  burst = { base: view.shown.owner.ids.slice(), from, dx: 0, dy: 0, object: store.object, timer: 0 };
  return true;
}

function endBurst() {
  if (!burst) return;
  const { object, timer } = burst;
  clearTimeout(timer);
  burst = null;
  edit.end({ title: `Move ${name(object)}` });
}

/** The part of the moved rectangle that lies in the frame; null if it has left it. */
function moved({ from, dx, dy }) {
  const { width, height } = store.project;
  const x = Math.max(0, from.x + dx);
  const y = Math.max(0, from.y + dy);
  const w = Math.min(width, from.x + dx + from.w) - x;
  const h = Math.min(height, from.y + dy + from.h) - y;
  return w > 0 && h > 0 ? { x, y, w, h } : null;
}

function shifted({ base, from, dx, dy, object }, rect) {
  const { width } = store.project;
  const piece = cut(base, rect, width).map((id) => (id === object ? 0 : id));
  for (let y = from.y; y < from.y + from.h; y++) {
    const row = y + dy - rect.y;
    if (row < 0 || row >= rect.h) continue;
    for (let x = from.x; x < from.x + from.w; x++) {
      const column = x + dx - rect.x;
      if (column >= 0 && column < rect.w && base[y * width + x] === object) piece[row * rect.w + column] = object;
    }
  }
  return piece;
}

/** Whatever comes next finds the burst ended: it is a step of its own. */
addEventListener("pointerdown", endBurst, { capture: true });
addEventListener("keydown", (event) => {
  const modifiers = ["Control", "Meta", "Shift"].includes(event.key);
  if (burst && !modifiers && !event.key.startsWith("Arrow")) endBurst();
}, { capture: true });
addEventListener("pagehide", endBurst);
on("frame object tool project conflict", endBurst);
