// Undo and redo. The server keeps the steps; strokes that it does not have yet are taken back here.

import * as api from "../page/api.js";
import * as masks from "./masks.js";
import * as saving from "./saving.js";
import { cut, paste, union } from "../canvas/raster.js";
import { toast } from "../page/messages.js";
import { emit, goTo, on, set, store } from "../page/store.js";
import { leave } from "../time/look.js";

const KEPT = 300; // strokes of this page that the tool Point may still ask for
let next = { undo: null, redo: null, order: 0 }; // what the server would undo and redo
let strokes = [];
let turn = Promise.resolve(); // one step after the other, however fast the keys come
let fixes = []; // what was painted since tracking began, {step, undone} each: a stroke, or a step of the server
let newest = 0; // of all steps that the server has told of
let asked = 0; // steps that the server has undone since a stroke was taken back here

/**
 * Remember a stroke and send it: the mask has its new state, `before` is a copy of the old one. With `amend` it becomes
 * one with the stroke before it. `pointing` is what the tool Point wants to know when the step is undone or redone.
 */
export function record(frame, rect, before, { title, pointing = null, amend = false }) {
  const { width } = store.project;
  const amends = amend ? strokes.findLast(({ undone }) => !undone) : null;
  if (amends) {
    paste(before, amends.rect, amends.before, width);
    rect = amends.rect.w ? union(rect, amends.rect) : rect;
    strokes = strokes.filter((each) => each !== amends);
  }
  const after = cut(masks.peek(frame).ids, rect, width);
  const stroke = { frame, rect, before: cut(before, rect, width), after, title, pointing, amends, step: null, undone: false };
  strokes = [...strokes.slice(-KEPT), stroke];
  if (rect.w) fixes = [...fixes.filter((each) => each !== amends && (each.step !== null || !each.undone)), stroke];
  asked = 0;
  saving.push(stroke);
  emit("history");
  showFixed();
}

/** A step of the server, the last one that it tells of, has changed a mask as a stroke does. */
export function noteFix(told) {
  hear(told);
  fixes.push({ step: told.undo.id, undone: false });
  showFixed();
}

/** What was painted since tracking began and is not undone. */
export const openFixes = () => fixes.filter(({ undone }) => !undone);

/** Forget what was painted, since it is being tracked or that was put off; what is undone now is news once it is redone. */
export function settleFixes(settled) {
  fixes = fixes.filter((each) => !settled.includes(each));
  showFixed();
}

/** Whether something was painted since tracking began and is not undone: what follows from it may be tracked again. */
function showFixed() {
  set({ fixed: store.project.trackedSet.size > 0 && openFixes().length > 0 });
}

/** See which fixes are undone now, in this tab or another. A new step drops them: they cannot be redone any more. */
function followFixes({ undo, redo }) {
  const last = undo?.id ?? 0;
  if (last > newest) fixes = fixes.filter(({ step, undone }) => step === null || step === last || !undone);
  newest = Math.max(newest, last, redo?.id ?? 0);
  for (const each of fixes) if (each.step !== null) each.undone = each.step > last;
  showFixed();
}

/** What Point said about the last step. */
export const lastPointing = () => strokes.findLast(({ undone }) => !undone)?.pointing;

/** Title of what would be undone; undefined if nothing can be. */
export const undoTitle = () => (saving.last() ?? next.undo)?.title;
export const redoTitle = () => (saving.lastTaken() ?? next.redo)?.title;

export function undo() {
  return inTurn(async () => {
    while (!saving.isEmpty()) {
      const stroke = saving.takeBack();
      if (!stroke) await saving.moved();
      else if (!stroke.amends) return stepped(stroke, stroke.frame, true);
    }
    if (saving.lastTaken()) asked += 1;
    return ask("/undo", true);
  });
}

export function redo() {
  return inTurn(async () => {
    const stroke = asked ? null : await saving.repeat();
    if (stroke) return stepped(stroke, stroke.frame, false);
    asked = Math.max(0, asked - 1);
    return ask("/redo", false);
  });
}

/** The last step that is not undone, as the server knows it; undefined if there is none. */
export async function lastStep() {
  const told = await api.get(`/projects/${store.project.id}/undo`);
  hear(told);
  return told.undo?.id;
}

/** Undo or redo up to a step, 0 = all of them. */
export const goToStep = (step, { back }) => inTurn(() => ask("/history", back, { step }));

/** All steps, and the tracking runs whose replaced masks are kept. */
export const listing = () => Promise.all(["history", "versions"].map(fetchList));

const fetchList = (name) => api.get(`/projects/${store.project.id}/${name}`);

/** Bring back the masks that a tracking run replaced. */
export const bringBack = (version) => inTurn(async () => {
  const { title } = (await fetchList("versions")).find(({ id }) => id === version) ?? {};
  hear(await masks.during(() => api.call("POST", `/projects/${store.project.id}/versions/${version}`)));
  emit("reload");
  toast(`The masks from before "${title}" are back. Undo takes them away again.`);
});

function inTurn(act) {
  leave(); // what changes is to be seen
  const result = saving.pending(turn.then(act));
  turn = result.catch(() => {});
  return result;
}

async function ask(path, back, json) {
  const answer = await masks.during(async () => {
    const told = await api.call("POST", `/projects/${store.project.id}${path}`, json);
    await masks.takeOver(told);
    return told;
  });
  hear(answer.history);
  for (const title of answer.passed) toast(`"${title}" was passed over: tracking has replaced its masks since.`);
  const isHere = answer.changed.includes(store.frame); // who looks at a frame that changes sees it change
  const frame = isHere ? store.frame : answer.frame;
  if (answer.step !== null) await stepped(strokes.find(({ step }) => step === answer.step), frame, back);
  return answer;
}

async function stepped(stroke, frame, back) {
  if (stroke) stroke.undone = back;
  if (frame !== null) {
    goTo(frame);
    await masks.load(frame);
  }
  emit("stepped", { entry: stroke ?? { frame: frame ?? store.frame }, back });
  emit("history");
  showFixed();
}

/** Take over what the server would undo and redo; where that is new, there was a step. */
export function hear(told) {
  const isNew = told.undo?.id !== next.undo?.id || told.redo?.id !== next.redo?.id;
  take(told);
  if (isNew) emit("step");
}

function take(told) {
  if (told.order < next.order) return;
  next = told;
  followFixes(told);
  emit("history");
}

on("project refreshed", () => {
  if (store.project) take({ order: store.project.order, ...store.project.history });
});
