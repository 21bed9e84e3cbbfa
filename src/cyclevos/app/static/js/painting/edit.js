// A change to the mask on screen: begun, applied shape by shape, ended as one step of undo. Locked objects stay.

import * as history from "./history.js";
import { peek } from "./masks.js";
import { paste, union } from "../canvas/raster.js";
import { toast } from "../page/messages.js";
import { emit, objectInfo, objectName, on, set, statusOf, store } from "../page/store.js";
import { refused } from "../time/look.js";
import { unreadableWords } from "../time/unreadable.js";
import { isExact, show, shown } from "../canvas/view.js";

const LOCKED = 1;
const HIDDEN = 2;
const TITLES = { brush: "Brush", polygon: "Polygon", fill: "Fill", point: "Point at" };
let open = null; // {frame, owner, before, rect, count, kept, blocked, value}

/** Whether the frame on screen can be changed for the chosen object; if not, explain why, unless this is a mere question. */
export function allowed({ quiet = false } = {}) {
  if (open || !store.project || (store.look && (quiet || refused())) || (store.playing && quiet)) return false;
  set({ playing: false }); // what is painted on has to stand still
  const unreadable = unreadableWords(store.frame);
  if (unreadable) {
    if (!quiet) toast(`${unreadable}. Paint in another frame.`);
    return false;
  }
  if (shown?.frame !== store.frame || !isExact() || (shown.owner && shown.owner !== peek(store.frame))) {
    if (!quiet) toast(`Frame ${store.frame} is being fetched. Paint once it is here.`);
    return false;
  }
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
    frame: store.frame, owner, before: owner.ids.slice(), rect: null, count: 0, kept: keptTable(), blocked: 0, value: 0,
  };
  return true;
}

/** Give the pixels of a shape to an object, 0 = background. The shape calls what it is given for each, as in raster.js. */
export function apply(shape, value) {
  const { kept, owner } = open;
  const { ids } = owner;
  let count = 0;
  open.value = value || open.value;
  const rect = shape((at) => {
    const id = ids[at];
    if (id === value) return;
    if (kept[id]) open.blocked = blocks(kept, id);
    else {
      ids[at] = value;
      count += 1;
    }
  });
  if (!count) return;
  open.count += count;
  open.rect = union(open.rect, rect);
  emit("painted", rect);
}

/** Give the pixels of a rectangle the ids of a piece. */
export function put(rect, piece) {
  const { kept, owner } = open;
  const { ids } = owner;
  const { width } = store.project;
  let count = 0;
  open.value = store.object;
  for (let row = 0, k = 0; row < rect.h; row++) {
    for (let at = (rect.y + row) * width + rect.x, last = at + rect.w; at < last; at++, k++) {
      if (ids[at] === piece[k]) continue;
      if (kept[ids[at]]) open.blocked = blocks(kept, ids[at]);
      else {
        ids[at] = piece[k];
        count += 1;
      }
    }
  }
  if (!count) return;
  open.count += count;
  open.rect = union(open.rect, rect);
  emit("painted", rect);
}

/**
 * End the change: it is a step that can be undone, and is saved. A step of pointing is one even if no pixel has changed,
 * and may amend the one before it.
 */
export function end({ pointing = null, amend = false, title = titleOf(open) } = {}) {
  const { frame, owner, before, rect, count, kept, blocked } = open;
  open = null;
  owner.editing = false;
  if (blocked && (kept[blocked] === HIDDEN || (!count && !pointing))) sayKept(blocked, kept[blocked]);
  if (!count && (!pointing || amend)) return;
  history.record(frame, rect ?? { x: 0, y: 0, w: 0, h: 0 }, before, { title, pointing, amend });
}

/** Take the change back as if it had not been. */
export function cancel() {
  const { owner, before, rect, count } = open;
  open = null;
  owner.editing = false;
  if (!count) return;
  const { width, height } = store.project;
  paste(owner.ids, { x: 0, y: 0, w: width, h: height }, before, width);
  emit("painted", rect);
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

/** What keeps the pixels of each object: nobody paints over what is locked, or cannot be seen. */
function keptTable() {
  const table = new Uint8Array(256);
  for (const { id, locked, hidden } of store.project.objects) table[id] = hidden ? HIDDEN : locked ? LOCKED : 0;
  return table;
}

/** The object to speak of where several keep their pixels: a hidden one first, since nobody sees why. */
const blocks = (kept, id) => (kept[open.blocked] === HIDDEN ? open.blocked : id);

function sayKept(id, why) {
  const name = objectName(id);
  toast(why === HIDDEN ? `${name} is hidden and keeps its pixels here. Show it in the list to paint over it.`
    : `${name} is locked and keeps its pixels. Unlock it in the list to paint over it.`);
}

function titleOf({ value }) {
  const name = objectName(value);
  return value ? `${TITLES[store.tool] ?? "Paint"} ${name}` : "Erase";
}

/** The mask has changed under an open stroke, which goes on on top of it. */
on("rebased", ({ frame, old }) => {
  if (open?.frame !== frame) return;
  const { ids } = open.owner;
  const before = ids.slice();
  for (let at = 0; at < ids.length; at++) if (old[at] !== open.before[at]) ids[at] = old[at];
  open.before = before;
});
addEventListener("beforeunload", (event) => open?.count && event.preventDefault());
