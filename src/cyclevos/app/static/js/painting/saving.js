// Strokes on their way to the server: each is a step of its own, sent in order, and kept on the page until it is saved.

import * as api from "../page/api.js";
import * as masks from "./masks.js";
import { cut, paste } from "../canvas/raster.js";
import { toast } from "../page/messages.js";
import { emit, on, store } from "../page/store.js";

const PAUSES = [1000, 2000, 4000, 8000, 15_000, 30_000]; // milliseconds between tries
const queue = []; // {frame, rect, before, after, title, amends, step, packed, sending}, the next to be sent first
let taken = []; // strokes taken back before they were sent
let failure = null; // why the last try failed
let away = false; // the server's news have stopped
let flight = null; // resolves when the stroke that is being sent has been answered
let held = null; // an action of our own that strokes wait for
let actions = 0; // that the server has not answered
let wake = () => {};
let waiting = []; // who waits until strokes are saved: {isOver, resolve, reject} each

/** Send a stroke, once those before it are saved. The loaded mask shows it already. */
export function push(stroke) {
  taken = [];
  enqueue(stroke);
}

function enqueue(stroke) {
  stroke.packed = api.packMask(masks.peek(stroke.frame).ids.slice());
  queue.push(stroke);
  report(away);
  if (!flight && !failure) work();
}

/** Take back the last stroke if it is not on its way yet, and return it. */
export function takeBack() {
  const stroke = queue.at(-1);
  if (!stroke || stroke.sending) return null;
  queue.pop();
  taken.push(stroke);
  draw(stroke, stroke.before);
  if (!queue.length) wake();
  return stroke;
}

/** Repeat the stroke that was taken back last, and return it. */
export async function repeat() {
  const stroke = taken.at(-1);
  if (!stroke) return null;
  await masks.load(stroke.frame);
  if (taken.pop() !== stroke) return null; // painted in the meantime
  const { width } = store.project;
  stroke.before = cut(masks.peek(stroke.frame).ids, stroke.rect, width);
  draw(stroke, stroke.after);
  enqueue(stroke);
  return stroke;
}

function draw({ frame, rect }, piece) {
  paste(masks.peek(frame).ids, rect, piece, store.project.width);
  if (frame === store.frame) emit("painted", rect);
  report(away);
}

/** Put the strokes that wait on top of a frame's mask, which has changed under them. */
export function rebase(frame, ids) {
  const { width } = store.project;
  for (const stroke of queue.filter((each) => each.frame === frame)) {
    const now = cut(ids, stroke.rect, width);
    const next = now.map((id, at) => (stroke.after[at] === stroke.before[at] ? id : stroke.after[at]));
    Object.assign(stroke, { before: now, after: next });
    paste(ids, stroke.rect, next, width);
    stroke.packed = api.packMask(ids.slice());
  }
}

export const isWaiting = (frame) => queue.some((stroke) => stroke.frame === frame);
export const last = () => queue.at(-1);
export const lastTaken = () => taken.at(-1);
export const isEmpty = () => queue.length === 0;
const isSaved = () => queue.length === 0 && !actions;

/** Resolves once something is so; refused as soon as a stroke cannot be saved, whoever asks. */
const until = (isOver) => new Promise((resolve, reject) => {
  waiting.push({ isOver, resolve, reject });
  tellWaiting();
});

function tellWaiting() {
  const isRefused = queue.length && failure;
  waiting = waiting.filter(({ isOver, resolve, reject }) => {
    if (isOver()) resolve();
    else if (isRefused) reject(new api.Refusal("Your last strokes are not saved yet.", "Try again when they are, or undo them."));
    else return true;
    return false;
  });
}

/** Resolves once the server has everything; refused if it cannot take a stroke. */
export const untilSaved = () => until(isSaved);

/** Resolves once all strokes are saved, since what comes next builds on them; refused if they cannot be. */
export const strokesSaved = () => until(() => isEmpty() && !flight);

/** Resolves when the stroke of a frame that is on its way has been answered. */
export const answered = (frame) => (queue[0]?.sending && queue[0].frame === frame ? flight : null);

/** Resolves when the stroke that is on its way has been answered. */
export const moved = () => flight;

/** Have strokes that are made from now on wait until something is done. */
export function hold(promise) {
  held = promise.catch(() => {});
  return promise;
}

/** Count an action that is not a stroke as unsaved until it ends. */
export function pending(action) {
  const count = (change) => {
    actions += change;
    report(away);
  };
  count(1);
  action.then(() => count(-1), () => count(-1));
  return action;
}

/** Try again now. */
export function retry() {
  wake();
}

/** Say how much the server does not have yet, and why. */
export function report(unreachable = false) {
  away = unreachable;
  if (!away) wake();
  const why = queue.length ? failure : null;
  emit("saved", { strokes: queue.length, isSaved: isSaved(), unreachable: away || why instanceof api.Unreachable, failure: why });
  tellWaiting();
}

async function work() {
  for (let tries = 0; queue.length; tries++) {
    const stroke = queue[0];
    stroke.sending = true;
    flight = send(stroke);
    failure = await flight;
    stroke.sending = false;
    flight = null;
    if (!failure) tries = -1;
    report(away);
    if (!failure) continue;
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, PAUSES[Math.min(tries, PAUSES.length - 1)]);
    });
    wake = () => {};
  }
  failure = null;
  report(away);
}

/** Send a stroke; return what went wrong, null if nothing did. */
async function send(stroke) {
  const { frame, title, amends } = stroke;
  try {
    await held;
    const body = await stroke.packed;
    const news = await api.saveMask(store.project.id, frame, body, masks.peek(frame).tag, { title, amend: amends?.step });
    queue.shift();
    stroke.step = news.history.undo.id;
    await masks.saved(frame, news);
    return null;
  } catch (error) {
    if (error.status !== 409) return error;
    return settle(stroke, error);
  }
}

/** The frame was changed elsewhere: the strokes go on top of the change, unless the frame is finished now. */
async function settle({ frame, rect, after }, error) {
  try {
    const { status, ids } = await masks.refetch(frame);
    if (cut(ids, rect, store.project.width).every((id, at) => id === after[at])) {
      queue.shift(); // it was saved, but the answer was lost
    } else if (status === "accepted") {
      for (const each of queue.filter((one) => one.frame === frame)) queue.splice(queue.indexOf(each), 1);
      await masks.refetch(frame);
      toast(error);
    } else {
      toast(`Frame ${frame} was changed elsewhere while you painted, in another tab or by tracking. Your stroke lies on top.`);
    }
    return null;
  } catch (other) {
    return other;
  }
}

addEventListener("beforeunload", (event) => {
  if (queue.length) event.preventDefault();
});
addEventListener("online", retry);
on("project", () => {
  queue.length = 0;
  taken = [];
});
