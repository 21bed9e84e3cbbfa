// The loaded masks: fetched when needed, changed by tools, sent after every stroke, kept until they are saved.

import * as api from "../page/api.js";
import { emit, on, store } from "../page/store.js";
import { toast } from "../page/ui.js";

const KEPT = 24;
const held = new Map(); // index -> {ids, tag, dirty, saving, editing}
const latest = new Map(); // index -> the order of the last news of it: answers and events overtake each other
let unsaved = 0;

/** Return a frame's mask if it is here, without waiting. */
export function peek(index) {
  return held.get(index);
}

/** Return a frame's mask, fetched if needed. */
export async function load(index) {
  const known = held.get(index);
  if (known) {
    held.delete(index); // the last used is the last to go
    held.set(index, known);
    return known;
  }
  const { project } = store;
  const fetched = await api.fetchMask(project.id, index);
  if (store.project?.id !== project.id) throw new Error("another project");
  if (!held.has(index)) keep(index, { ...fetched, dirty: false, saving: false });
  return held.get(index);
}

function keep(index, mask) {
  held.set(index, mask);
  for (const [old, each] of held) {
    if (held.size <= KEPT) break;
    if (!isBusy(each) && old !== store.frame) held.delete(old);
  }
}

/** Whether a mask holds what the server does not have yet. */
const isBusy = ({ dirty, saving, editing }) => dirty || saving || editing;

/** Say that a frame's mask was painted on: it is shown and sent. */
export function changed(index) {
  held.get(index).dirty = true;
  report();
  send(index);
}

/**
 * Let the server change a frame's mask or mark, for one of our own actions: the news of it is not taken for somebody
 * else's. Resolves once the mask is here again.
 */
export async function act(index, method, path, { json, samePixels = false } = {}) {
  const mask = await load(index);
  while (mask.saving) await new Promise((resolve) => setTimeout(resolve, 20));
  mask.saving = true;
  try {
    const news = await api.call(method, `/projects/${store.project.id}${path}`, json);
    note(index, news, mask);
    if ((!samePixels || isOld(index, news)) && !mask.dirty) held.delete(index);
  } finally {
    mask.saving = false;
    report();
    if (mask.dirty) send(index); // painted in the meantime
  }
  await load(index);
  emit("mask", index);
}

/** Forget what a person made of a frame. */
export const forget = (index) => act(index, "DELETE", `/masks/${index}`);

/** Say that a frame is finished, or that it is not. */
export const accept = (index, accepted) =>
  act(index, "POST", `/frames/${index}/accept`, { json: { accepted }, samePixels: true });

/** Take a picture's objects as the frame's mask; return what the user should know about how it was read. */
export async function importFile(index, file, fit) {
  const news = await api.importMask(store.project.id, index, file, fit);
  held.delete(index);
  note(index, news);
  await load(index);
  emit("mask", index);
  emit("conflict", index);
  return news.notes;
}

/** Take over what the server sends about a frame, including its mask if there is one. */
export async function hear(news) {
  if (isOld(news.frame, news)) return;
  const mask = held.get(news.frame);
  const mine = mask && isBusy(mask);
  note(news.frame, news);
  if (mine || mask?.tag === news.tag) return;
  if (!news.mask && !mask) return;
  const ids = news.mask ? await api.unpackMask(news.mask) : null;
  const theirs = ids ? { ids, tag: news.tag } : await api.fetchMask(store.project.id, news.frame);
  const now = held.get(news.frame);
  if (now && isBusy(now)) return; // painted in the meantime: the server will refuse it, with an explanation
  if (isOld(news.frame, news)) return; // newer data is shown already, or will be
  held.delete(news.frame);
  keep(news.frame, { ...theirs, dirty: false, saving: false });
  emit("mask", news.frame);
  emit("conflict", news.frame);
}

const isOld = (index, { order }) => order < latest.get(index);

/** Show a frame as the server has it, instead of the loaded mask. */
async function showAnew(index) {
  held.delete(index);
  await load(index).catch(() => {});
  emit("mask", index);
  emit("conflict", index);
}

export function dropAll() {
  for (const [index, mask] of held) if (!isBusy(mask)) held.delete(index);
}

/** Keep what is known about frames that changed after the server sent the project's state. */
export function keepNewer(state) {
  const { project } = store;
  for (const [index, order] of latest) {
    if (order < state.order) continue;
    if (project.marks[index]) state.marks[index] = project.marks[index];
    else delete state.marks[index];
    state.results[index] = project.results[index];
    for (const name of ["trackedSet", "correctedSet"]) state[name][project[name].has(index) ? "add" : "delete"](index);
  }
}

/** Update what the project knows about a frame, and the tag of the loaded mask. */
export function note(index, news, mask) {
  const { project } = store;
  if (mask) mask.tag = news.tag;
  if (isOld(index, news)) return;
  latest.set(index, news.order);
  if (news.status === "marked" || news.status === "accepted") {
    project.marks[index] = { objects: news.objects, accepted: news.status === "accepted" };
  } else {
    delete project.marks[index];
  }
  if (news.tracked) project.trackedSet.add(index);
  if (news.corrected !== undefined) project.correctedSet[news.corrected ? "add" : "delete"](index);
  const reliability = news.reliability ?? project.results[index]?.[0] ?? {};
  const calibrated = news.calibrated ?? project.results[index]?.[2] ?? true;
  project.results[index] = [reliability, news.areas, calibrated];
  emit("frames", index);
}

async function send(index) {
  const mask = held.get(index);
  if (mask.saving) return; // goes again when that has come back
  mask.saving = true;
  let overtaken = false; // somebody else painted on what was just saved, and that is known already
  while (mask.dirty) {
    mask.dirty = false;
    try {
      const news = await api.saveMask(store.project.id, index, mask.ids, mask.tag);
      note(index, news, mask);
      overtaken = isOld(index, news);
    } catch (error) {
      if (error instanceof api.Unreachable) {
        mask.dirty = true;
        report(true);
        await new Promise((resolve) => setTimeout(resolve, 1000));
        continue;
      }
      toast(error);
      mask.dirty = mask.saving = false;
      await showAnew(index);
    }
  }
  mask.saving = false;
  report();
  if (overtaken && !isBusy(mask)) await showAnew(index);
}

/** Say how many masks the server does not have yet, and whether it answers. */
export function report(unreachable = false) {
  unsaved = [...held.values()].filter(({ dirty, saving }) => dirty || saving).length;
  emit("saved", { unsaved, unreachable });
}

export const isSaved = () => unsaved === 0;

addEventListener("beforeunload", (event) => {
  if ([...held.values()].some(({ dirty }) => dirty)) event.preventDefault();
});

on("project", () => {
  held.clear();
  latest.clear();
});
