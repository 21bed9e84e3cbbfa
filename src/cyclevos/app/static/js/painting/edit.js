// A change to the mask on screen: begun, applied shape by shape, ended as one step of undo. Locked objects stay.

import * as history from "./history.js";
import * as masks from "./masks.js";
import { paste, union } from "../canvas/raster.js";
import { emit, objectInfo, set, statusOf, store } from "../page/store.js";
import { toast } from "../page/ui.js";
import { show, shown } from "../canvas/view.js";

const SAVED_EVERY = 700; // milliseconds, during a long stroke
let open = null;

/** Whether the frame on screen can be changed for the chosen object; if not, explain why, unless this is a mere question. */
export function allowed({ quiet = false } = {}) {
  if (open || !store.project || shown?.frame !== store.frame) return false;
  if (store.before || store.heat) {
    if (!quiet) set({ before: false, heat: null });
    return false; // what is painted on has to be seen first
  }
  const info = objectInfo(store.object);
  const why = statusOf(store.frame) === "accepted" ? "This frame is accepted. Press A to reopen it, then paint."
    : info?.locked ? "This object is locked. Unlock it in the list, or choose another."
    : info?.hidden ? "This object is hidden. Show it in the list, or choose another." : null;
  if (why && !quiet) toast(why);
  return !why;
}

/** Begin a change of the frame on screen; if that is not possible, explain why and return false. */
export function begin() {
  if (!allowed()) return false;
  if (!store.object) set({ object: newObject() });
  set({ follow: false }); // while tracking continues, the page stays at the frame that is being painted
  const { owner } = shown;
  owner.editing = true;
  open = {
    frame: store.frame, owner, before: owner.ids.slice(), rect: null, count: 0, saved: performance.now(),
    wasMarked: statusOf(store.frame) === "marked", locked: lockedTable(),
  };
  return true;
}

/** Give the pixels of a shape to an object, 0 = background. The shape calls what it is given for each, as in raster.js. */
export function apply(shape, value) {
  const { locked, owner } = open;
  const { ids } = owner;
  let count = 0;
  const rect = shape((at) => {
    const id = ids[at];
    if (id !== value && !locked[id]) {
      ids[at] = value;
      count += 1;
    }
  });
  if (!count) return;
  open.count += count;
  open.rect = union(open.rect, rect);
  emit("painted", rect);
  if (performance.now() - open.saved > SAVED_EVERY) {
    open.saved = performance.now();
    masks.changed(open.frame);
  }
}

/** Give the pixels of a rectangle the ids of a piece. */
export function put(rect, piece) {
  const { locked, owner } = open;
  const { ids } = owner;
  const { width } = store.project;
  let count = 0;
  for (let row = 0, k = 0; row < rect.h; row++) {
    for (let at = (rect.y + row) * width + rect.x, last = at + rect.w; at < last; at++, k++) {
      if (ids[at] === piece[k] || locked[ids[at]]) continue;
      ids[at] = piece[k];
      count += 1;
    }
  }
  open.count += count;
  open.rect = union(open.rect, rect);
  if (count) emit("painted", rect);
}

/**
 * End the change: it can be undone, and is saved. A step of pointing can be undone even if no pixel has changed, and may
 * amend the one before it.
 */
export function end({ pointing = null, amend = false } = {}) {
  const { frame, owner, before, rect, count, wasMarked } = open;
  open = null;
  owner.editing = false;
  if (!count && (!pointing || amend)) return;
  if (masks.peek(frame) !== owner) {
    toast("This frame was changed elsewhere. The page shows the new mask. Paint again what is missing.");
    show();
    return;
  }
  history.record(frame, rect ?? { x: 0, y: 0, w: 0, h: 0 }, before, { wasMarked, pointing, amend });
  if (!count) return;
  masks.changed(frame);
  set({ fixed: store.project.trackedSet.size > 0 });
}

/** Take the change back as if it had not been. */
export function cancel() {
  const { frame, owner, before, rect, count } = open;
  open = null;
  owner.editing = false;
  if (!count) return;
  const { width, height } = store.project;
  paste(owner.ids, { x: 0, y: 0, w: width, h: height }, before, width);
  emit("painted", rect);
  masks.changed(frame);
}

/** Begin, apply one shape, end. */
export function once(shape, value) {
  if (!begin()) return;
  apply(shape, value);
  end();
}

/** The object that painting goes to while the list is empty; the server lists it once it is saved. */
function newObject() {
  const { objects } = store.project;
  const taken = new Set(objects.map((each) => each.id));
  let id = 1;
  while (taken.has(id)) id += 1;
  if (!taken.size || objectInfo(store.object) === undefined) {
    objects.push({ id, name: `object ${id}`, hidden: false, locked: false });
    emit("objects");
  }
  return id;
}

function lockedTable() {
  const table = new Uint8Array(256);
  for (const { id, locked } of store.project.objects) if (locked) table[id] = 1;
  return table;
}
