// The tool Point: clicks, boxes and strokes become the mask of the chosen object, or repair the one that it has.
//
// A session lasts until the frame, the object or the tool changes. It holds the frame's mask before its first step and
// the steps so far; every request sends all of them, so a mask follows from its steps alone. Each step is one of undo.

import * as api from "../page/api.js";
import * as edit from "./edit.js";
import * as history from "./history.js";
import * as masks from "./masks.js";
import { drawPrompts, previewOf } from "./pointing_view.js";
import { boxAround, isInside, lastBox, request, spread } from "./prompts.js";
import { cut, extentOf, paste, union } from "../canvas/raster.js";
import { attempt, toast } from "../page/messages.js";
import { on, set, store, whyUnreadable } from "../page/store.js";
import * as view from "../canvas/view.js";

const FAR = 5; // CSS pixels from which a press is a drag

let session = null; // {id, frame, object, owner, base, own, mask, rect, steps}
let sessions = 0;
let queue = Promise.resolve(); // requests of steps, one after the other
let drawn = null; // the box or stroke under a pressed pointer
let pointer = null; // where it is while nothing is pressed
let hovered = null; // the click that is to be previewed
let preview = null;
let asking = false;
let loaded = false; // the server has the prompter

const isMac = navigator.platform.startsWith("Mac");

/** Begin a click, box or stroke. */
export function press(start, event) {
  hover(null);
  if (!edit.allowed()) return null;
  const negative = event.altKey || event.button === 2 || (isMac && event.ctrlKey);
  const strokes = negative || event.ctrlKey || event.metaKey;
  const path = [start];
  let far = false;
  return {
    move: (next) => {
      path.push(next);
      far ||= Math.hypot(next.x - start.x, next.y - start.y) > FAR / view.scale();
      if (far) drawn = strokes ? { points: path, positive: !negative } : { box: boxAround(start, next) };
    },
    up: () => {
      drawn = null;
      if (far && !strokes) addBox(boxAround(start, path.at(-1)));
      else addClicks(far ? spread(path) : path.slice(0, 1), !negative);
    },
    cancel: () => (drawn = null),
  };
}

/** Preview what a click would give, while Shift is held; null = nothing. */
export function hover(at, event) {
  pointer = at;
  hovered = at && event.shiftKey && isInside(at) && edit.allowed({ quiet: true }) ? { ...at, positive: !event.altKey } : null;
  if (hovered) ask();
  else if (preview) {
    preview = null;
    view.redraw();
  }
}

/** Show the next candidate; false where Tab should move the focus as usual. */
export function tab(event) {
  const free = document.activeElement === view.canvas || document.activeElement === document.body;
  if (!free || event.shiftKey || event.altKey || !session?.steps.length) return false;
  const mine = session;
  queue = queue.then(() => showNext(mine));
  return true;
}

/** End the session: its clicks vanish, its mask stays. Returns whether there was one to see. */
export function end() {
  const was = Boolean(session?.steps.length);
  session = null;
  hover(null);
  changed();
  return was;
}

/** Take back the last click, even if its mask is not here yet; or whatever was done last. */
export async function undo() {
  if (session?.steps.length && !session.steps.at(-1).answered) dropStep(session, session.steps.at(-1));
  else await history.undo();
}

/** The session of the frame and object on screen. */
function current() {
  const { frame, owner } = view.shown;
  if (session?.owner !== owner) session = begin(++sessions, frame, owner, owner.ids.slice());
  return session;
}

function begin(id, frame, owner, base) {
  const own = store.object ? extentOf(base, store.object, store.project.width) : null;
  return { id, frame, owner, base, own, object: store.object, mask: packed(base, own), rect: null, steps: [] };
}

/** The chosen object's mask as requests send it; null where it has none. */
function packed(ids, rect) {
  if (!rect) return null;
  const piece = cut(ids, rect, store.project.width);
  for (let at = 0; at < piece.length; at++) piece[at] = Number(piece[at] === store.object);
  return api.packPiece(rect, piece);
}

function addClicks(points, positive) {
  const inside = points.filter(isInside);
  if (!inside.length || !edit.allowed()) return;
  const mine = current();
  if (!positive && !mine.steps.length && !mine.mask) {
    toast("This object has no mask yet. Click on it first; then take away what does not belong to it.");
    return;
  }
  add(mine, { points: inside, positive, box: null });
}

/** A box says where the whole object is: it replaces the mask and the clicks before it. */
function addBox(box) {
  if (box.right - box.left < 2 || box.bottom - box.top < 2 || !edit.allowed()) return;
  add(current(), { points: [], positive: true, box });
}

function add(mine, step) {
  Object.assign(step, { answered: false, choice: 0, mask: null });
  mine.steps = [...mine.steps, step];
  changed();
  queue = queue.then(() => answer(mine, step));
}

async function answer(mine, step) {
  const isOver = () => mine !== session || !mine.steps.includes(step);
  if (isOver()) return;
  const before = mine.steps.slice(0, mine.steps.indexOf(step));
  step.mask = step.box ? null : repaired(mine, before);
  const found = await attempt(async () => api.pointAt(store.project.id, mine.frame, await request([...before, step])));
  if (isOver()) return;
  if (found && put(mine, found, { pointing: { session: mine.id, before, after: [...before, step] } })) step.answered = true;
  else dropStep(mine, step);
  changed();
}

async function showNext(mine) {
  const step = mine.steps.at(-1);
  if (mine !== session || !step?.answered) return;
  const asked = async () => ({ ...(await request(mine.steps)), candidate: step.choice + 1 });
  const found = await attempt(async () => api.pointAt(store.project.id, mine.frame, await asked()));
  if (!found || mine !== session || mine.steps.at(-1) !== step) return;
  if (found.candidates < 2) toast("There is no other candidate. Click what is missing or too much.");
  else if (put(mine, found, { pointing: history.lastPointing(), amend: true })) {
    step.choice = (step.choice + 1) % found.candidates;
    toast(`Candidate ${step.choice + 1} of ${found.candidates}.`);
  }
}

/** The mask that a step after others repairs. Whoever chose another candidate means that one. */
function repaired({ mask, owner: { ids } }, before) {
  const last = before.at(-1);
  if (!last) return mask;
  return last.choice ? packed(ids, extentOf(ids, store.object, store.project.width)) : last.mask;
}

/** Show a mask as the object's: other pixels are as they were before the session. Returns whether that was possible. */
function put(mine, found, how) {
  if (view.shown.owner !== mine.owner || !edit.begin()) return false;
  const rect = [found.rect, mine.own].reduce(union, mine.rect);
  if (rect) edit.put(rect, wanted(mine, found, rect));
  mine.rect = rect;
  edit.end(how);
  return true;
}

function wanted({ base }, found, rect) {
  const { object, project: { width } } = store;
  const piece = cut(base, rect, width);
  for (let at = 0; at < piece.length; at++) if (piece[at] === object) piece[at] = 0;
  if (!found.rect) return piece;
  const { x, y, w, h } = found.rect;
  for (let row = 0; row < h; row++) {
    const to = (y + row - rect.y) * rect.w + x - rect.x;
    for (let column = 0; column < w; column++) if (found.pixels[row * w + column]) piece[to + column] = object;
  }
  return piece;
}

function dropStep(mine, step) {
  mine.steps = mine.steps.filter((each) => each !== step);
  changed();
}

/** The last click that a pointer hovers over is asked for, one request at a time. */
async function ask() {
  if (asking) return;
  asking = true;
  while (hovered) {
    const mine = current();
    const click = hovered;
    const before = mine.steps.filter(({ answered }) => answered);
    const steps = [...before, { points: [click], positive: click.positive, box: null, mask: repaired(mine, before) }];
    const found = await api.pointAt(store.project.id, mine.frame, await request(steps)).catch(() => null);
    preview = found?.rect && hovered ? previewOf(found) : null;
    view.redraw();
    if (hovered === click) break;
  }
  asking = false;
}

/** A step was undone or redone: its clicks go and come with it. */
function follow({ entry: { frame, rect, before, pointing }, back }) {
  const owner = masks.peek(frame);
  const goesOn = pointing && session?.id === pointing.session && session.owner === owner;
  if (goesOn) {
    session.steps = back ? pointing.before : pointing.after;
  } else if (pointing && !back && !pointing.before.length && store.tool === "point" && store.object) {
    const base = owner.ids.slice();
    paste(base, rect, before, store.project.width);
    session = { ...begin(pointing.session, frame, owner, base), rect: rect.w ? rect : null, steps: pointing.after };
  } else {
    session = null;
  }
  changed();
}

function changed() {
  const steps = session?.steps ?? [];
  set({ pointing: steps.length > 0, ambiguous: steps.length === 1 && steps[0].points.length === 1 });
  view.redraw();
}

/** Have the prompter loaded and the frame decoded before the first click. */
function prepare() {
  if (store.tool !== "point" || !store.project || store.playing || whyUnreadable(store.frame)) return Promise.resolve();
  const prepared = api.prepare(store.project.id, store.frame);
  if (loaded) return prepared;
  set({ preparing: true }); // the weights take seconds
  return prepared.then(() => (loaded = true)).finally(() => set({ preparing: false }));
}

view.decorate((context, place) => drawPrompts(context, place, {
  steps: session?.frame === view.shown.frame ? session.steps.slice(Math.max(0, lastBox(session.steps))) : [], drawn, preview,
}));
addEventListener("keydown", (event) => event.key === "Shift" && !event.repeat && store.tool === "point" && hover(pointer, event));
addEventListener("keyup", (event) => event.key === "Shift" && hover(pointer, event));
on("tool", () => {
  end();
  attempt(prepare);
});
on("frame", () => {
  end();
  prepare().catch(() => {}); // a click would say why
});
on("object", () => {
  if (session?.object === 0) session.object = store.object; // the session's own first step has made it
  else if (session?.object !== store.object) end();
});
on("conflict", (frame) => session?.frame === frame && end());
on("project", end);
on("stepped", follow);
