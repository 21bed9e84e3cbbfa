// The loaded masks: what the server has, fetched when needed, with the strokes on top that it does not have yet.

import * as api from "../page/api.js";
import * as history from "./history.js";
import * as reduced from "./reduced.js";
import * as saving from "./saving.js";
import { attempt, toast } from "../page/messages.js";
import { emit, on, store } from "../page/store.js";
import { refusal } from "../time/look.js";

export { report, untilSaved } from "./saving.js";

const KEPT = 24;
const held = new Map(); // index -> {ids, tag, editing}
const latest = new Map(); // index -> the order of the last news of it: answers and events overtake each other
let acting = Promise.resolve(); // our own actions, one after the other

/** Return a frame's mask if it is here, without waiting; for playing, the one that is `fit` pixels wide. */
export function peek(index, fit = 0) {
  return fit ? reduced.peek(index, fit) : held.get(index);
}

/** Return a frame's mask, fetched if needed; for playing, at a width. */
export async function load(index, fit = 0) {
  if (fit) return reduced.load(index, fit, () => reducedMask(index, fit));
  const known = held.get(index);
  if (known) {
    held.delete(index); // the last used is the last to go
    held.set(index, known);
    return known;
  }
  const { project } = store;
  const fetched = await api.fetchMask(project.id, index);
  if (store.project?.id !== project.id) throw new Error("another project");
  if (!held.has(index)) keep(index, fetched);
  return held.get(index);
}

/** A mask at a width: of the exact one if that is here, since it may show what the server does not have yet. */
function reducedMask(index, fit) {
  const exact = held.get(index);
  return exact ? reduced.reduce(exact.ids, store.project, fit) : api.fetchMask(store.project.id, index, fit);
}

function keep(index, mask) {
  held.set(index, mask);
  for (const old of held.keys()) {
    if (held.size <= KEPT) break;
    if (!isBusy(old) && old !== store.frame) held.delete(old);
  }
}

/** Whether a mask holds what the server does not have yet. */
const isBusy = (index) => held.get(index)?.editing || saving.isWaiting(index);

/** Do something of our own once all strokes are saved; the news of it is not taken for somebody else's. */
export function during(work) {
  const result = saving.pending(acting.then(async () => {
    await saving.strokesSaved();
    return saving.hold(work());
  }));
  acting = result.catch(() => {});
  return result;
}

function checkNow() {
  if (store.look) throw refusal();
}

/** Let the server change a frame's mask or mark. Resolves once the mask is here again. */
export function act(index, method, path, { json, samePixels = false } = {}) {
  return during(async () => {
    checkNow();
    const mask = await load(index);
    const news = await api.call(method, `/projects/${store.project.id}${path}`, json);
    note(index, news, samePixels ? mask : null);
    history.hear(news.history);
    if (!samePixels || isOld(index, news)) await refetch(index);
    emit("mask", index);
  });
}

/** Forget what a person made of a frame. */
export const forget = (index) => act(index, "DELETE", `/masks/${index}`);

/** Say that a frame is finished, or that it is not. */
export const accept = (index, accepted) =>
  act(index, "POST", `/frames/${index}/accept`, { json: { accepted }, samePixels: true });

/** Take a picture's objects as the frame's mask; return what the user should know about how it was read. */
export function importFile(index, file, fit) {
  return during(async () => {
    checkNow();
    const news = await api.importMask(store.project.id, index, file, fit);
    note(index, news);
    history.hear(news.history);
    await refetch(index);
    emit("conflict", index);
    return news.notes;
  });
}

/** A stroke was saved. */
export async function saved(index, news) {
  const overtaken = isOld(index, news); // somebody else painted on it, and that is known already
  note(index, news, overtaken ? null : held.get(index));
  history.hear(news.history);
  if (overtaken) await refetch(index);
}

/** Take over the frames that one of our own actions has changed. */
export async function takeOver({ frames, everything }) {
  if (everything) emit("reload");
  for (const news of frames) {
    if (isOld(news.frame, news)) continue;
    note(news.frame, news);
    if (!held.has(news.frame)) continue;
    const ids = news.mask ? await api.unpackMask(news.mask) : (await api.fetchMask(store.project.id, news.frame)).ids;
    replace(news.frame, { ids, tag: news.tag });
  }
}

/** Fetch a loaded mask again; what was painted since stays on top. */
export async function refetch(index) {
  for (;;) {
    const tag = held.get(index)?.tag;
    const fetched = await api.fetchMask(store.project.id, index);
    if (held.get(index)?.tag !== tag) continue; // there was news meanwhile: what came may be older
    if (held.has(index)) replace(index, fetched);
    return fetched;
  }
}

function replace(index, { ids, tag }) {
  const mask = held.get(index);
  const old = mask.ids.slice();
  mask.ids.set(ids);
  mask.tag = tag;
  saving.rebase(index, mask.ids);
  emit("rebased", { frame: index, old });
  const { width: w, height: h } = store.project;
  if (Math.abs(index - store.frame) <= 1) emit("painted", { x: 0, y: 0, w, h }); // some views show the frames beside, too
}

/** Take over what the server sends about a frame, including its mask if there is one. */
export async function hear(news) {
  await acting;
  await saving.answered(news.frame); // it may be the news of our own stroke
  if (isOld(news.frame, news)) return;
  const mask = held.get(news.frame);
  note(news.frame, news);
  if (mask?.tag === news.tag || (!news.mask && !mask)) return;
  const ids = news.mask ? await api.unpackMask(news.mask) : null;
  const theirs = ids ? { ids, tag: news.tag } : await api.fetchMask(store.project.id, news.frame);
  if (isOld(news.frame, news)) return; // newer data is shown already, or will be
  const now = held.get(news.frame);
  if (now?.tag === theirs.tag) return;
  if (now) replace(news.frame, theirs);
  else keep(news.frame, theirs);
  if (isBusy(news.frame)) toast(`Frame ${news.frame} was changed elsewhere while you painted. Your stroke lies on top.`);
  else emit("mask", news.frame);
  emit("conflict", news.frame);
}

const isOld = (index, { order }) => order < latest.get(index);

/** Forget the loaded masks that are saved: many have changed. The one on screen, which may be painted on, is renewed. */
export function dropAll() {
  const { frame } = store;
  for (const index of held.keys()) if (!isBusy(index) && index !== frame) held.delete(index);
  emit("dropped");
  if (held.has(frame) && !isBusy(frame)) attempt(() => refetch(frame));
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
  project.trackedSet[news.tracked ? "add" : "delete"](index);
  if (news.corrected !== undefined) project.correctedSet[news.corrected ? "add" : "delete"](index);
  const reliability = news.reliability ?? project.results[index]?.[0] ?? {};
  const calibrated = news.calibrated ?? project.results[index]?.[2] ?? true;
  const islands = news.islands ?? project.results[index]?.[3] ?? {};
  project.results[index] = [reliability, news.areas, calibrated, islands];
  emit("frames", index);
}

on("project", () => {
  held.clear();
  latest.clear();
});
