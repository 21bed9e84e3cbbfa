// A version of the masks, as they were before a tracking run: looked at without changing anything, and compared with now.

import * as api from "../page/api.js";
import * as masks from "../painting/masks.js";
import { attempt, toast } from "../page/messages.js";
import { emit, on, set, store } from "../page/store.js";

const KEPT = 24; // masks
const LISTED = 10;
const PAUSE = 500; // milliseconds after a change until what has changed is compared again
const held = new Map(); // index -> {ids, isThen, fit}: masks as they were, the last used last
const stale = new Set(); // frames whose masks have changed since they were compared
let renewal = 0;
let turns = 0; // how often all frames were to be compared: only the last time goes on

const base = () => `/projects/${store.project.id}/versions/${store.look.id}`;

/** Look at the masks that a tracking run replaced. */
export async function look(id) {
  const told = await api.get(`/projects/${store.project.id}/versions/${id}`);
  const frames = Object.fromEntries(Object.entries(told.frames).map(([index, { status, objects, tracked, result }]) => {
    const mark = status === "marked" || status === "accepted" ? { objects, accepted: status === "accepted" } : undefined;
    return [index, { mark, tracked, result }];
  }));
  leave();
  set({ follow: false, before: false, heat: null, playing: false });
  store.side = "then";
  set({ look: { ...told, frames, difference: {}, list: [], whole: false } });
  emit("side");
  await compareAll();
}

/** Go back to now; false where nothing else is looked at. */
export function leave() {
  if (!store.look) return false;
  store.side = "now";
  set({ look: null });
  held.clear();
  stale.clear();
  emit("side");
  return true;
}

function lost() {
  if (leave()) toast("This version is not kept any more: later tracking runs have taken its place. You are back at now.");
}

/** What is said to whoever wants to change a mask that is only looked at. */
export const refusal = () => new api.Refusal("You are looking at masks as they were.", "Press Esc to go back to now, then change them.");

/** Refuse in words to go on while a version is looked at; false where none is. */
export function refused() {
  if (store.look) toast(refusal());
  return Boolean(store.look);
}

/** Whether the version has a mask of its own for a frame. */
export const covers = (index) => Boolean(store.look && index in store.look.frames);

const isThen = (index) => store.side === "then" && covers(index);

/** The mask of a frame that is to be shown, fetched if needed; for playing, at a width. */
export async function load(index, fit = 0) {
  const mask = isThen(index) ? await then(index, fit) : null;
  return mask ?? masks.load(index, fit);
}

/** The same if it is here, without waiting. */
export const peek = (index, fit = 0) => (isThen(index) ? heldThen(index, fit) : masks.peek(index, fit));

const heldThen = (index, fit) => (held.get(index)?.fit === fit ? held.get(index) : undefined);

/** The mask of a frame as it was, fetched if needed; null where the version ends meanwhile. */
export async function then(index, fit = 0) {
  const { look: mine, project } = store;
  let mask = heldThen(index, fit);
  if (!mask) {
    const found = await api.fetchThen(project.id, mine.id, index, fit).catch((error) => {
      if (error.status !== 404) throw error;
      if (store.look === mine) lost();
      return null;
    });
    if (!found || store.look !== mine) return null;
    mask = heldThen(index, fit) ?? { ...found, isThen: true, fit };
  }
  held.delete(index); // the last used is the last to go
  held.set(index, mask);
  for (const old of held.keys()) {
    if (held.size <= KEPT) break;
    if (old !== store.frame) held.delete(old);
  }
  return mask;
}

/** The view that shows what is looked at. */
export const viewName = () => (store.side === "difference" ? "compared" : store.view);

/** J of an object then and now in a frame; undefined where it is not known, or neither mask shows the object. */
export const similarity = (index, object) => store.look?.difference[index]?.objects[object];

async function compareAll() {
  const mine = store.look;
  const turn = (turns += 1);
  stale.clear();
  mine.whole = false;
  let first = 0;
  while (Number.isInteger(first) && store.look === mine && turn === turns) first = await compare(mine, { first });
  if (store.look !== mine || turn !== turns) return;
  mine.whole = first === null;
  emit("compared");
}

/** Compare frames from one on, as many as the server likes; return where to go on, null at the end. */
async function compare(mine, asked) {
  const answer = await attempt(() => api.get(`${base()}/difference?${new URLSearchParams(asked)}`).catch((error) => {
    if (error.status !== 404) throw error;
    if (store.look === mine) lost();
  }));
  if (!answer || store.look !== mine) return undefined;
  Object.assign(mine.difference, answer.frames);
  mine.list = most(mine.difference);
  emit("compared");
  return answer.next;
}

/** The frames that differ most, no two neighbours, the worst first. */
function most(difference) {
  const entries = Object.entries(difference).flatMap(([index, { pixels, objects }]) => {
    const [object, value] = Object.entries(objects).sort(([, a], [, b]) => a - b)[0] ?? [];
    return pixels && object ? [{ frame: Number(index), object: Number(object), value }] : [];
  });
  const chosen = [];
  for (const entry of entries.sort((a, b) => a.value - b.value || a.frame - b.frame)) {
    if (chosen.length === LISTED) break;
    if (chosen.every(({ frame }) => Math.abs(frame - entry.frame) > 1)) chosen.push(entry);
  }
  return chosen;
}

async function renew() {
  renewal = 0;
  const mine = store.look;
  for (const index of [...stale]) {
    if (store.look !== mine || !mine) return;
    stale.delete(index);
    await compare(mine, { first: index, last: index });
  }
}

on("frames", (index) => {
  if (!covers(index)) return;
  stale.add(index);
  renewal ||= setTimeout(renew, PAUSE);
});
on("dropped", () => store.look && compareAll());
on("ended", async ({ kind }) => {
  const mine = store.look;
  if (kind !== "track" || !mine) return;
  const kept = await api.get(`/projects/${store.project.id}/versions`).catch(() => null);
  if (store.look === mine && kept && !kept.some(({ id }) => id === mine.id)) lost();
});
on("project", leave);
