// The page's state: the project as the server describes it, and the frame, object and tool chosen. Views listen to it.

import { rgbOf, withSafeColours } from "../canvas/palette.js";

const listeners = new Map();

export const store = {
  server: null,
  project: null,
  frame: 0,
  object: 0, // the one that is painted, 0 = none
  tool: "brush",
  size: 24,
  opacity: 0.45,
  tab: "review", // what the right side shows below the objects: the review list, or an edit
  rows: "quality",
  view: "filled", // how masks are shown: a name in canvas/colouring.js
  before: false, // show the mask as it was before its correction
  absent: null, // why the frame is not on screen: "late", "failed" or "unreadable"
  look: null, // the version that is looked at: {id, title, time, frames, difference, list}
  side: "now", // of that version: masks as they were "then", the "difference", or "now"
  heat: null, // {frame, object, bitmap} while a heat map is shown
  follow: false, // go where tracking is
  fixed: false, // something was painted since tracking: what follows from it may be tracked again
  theme: "light",
  playing: false,
  loop: false, // playing begins anew at the end
  speed: 1, // of playing, 1 = as the video
  pointing: false, // clicks of the tool Point are on screen
  ambiguous: false, // they are one click alone, which may mean several things
  safeColours: false, // show colours that colour-blind people can tell apart
  penSize: false, // the pressure of a pen is the brush's size
  preparing: false, // the prompter is being loaded
};

export function on(event, callback) {
  for (const name of event.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(callback);
  }
}

export function emit(event, detail) {
  for (const callback of listeners.get(event) ?? []) callback(detail);
}

/** Change some of the store's values and tell whoever listens to each. */
export function set(values) {
  for (const [name, value] of Object.entries(values)) {
    if (store[name] === value) continue;
    store[name] = value;
    emit(name);
  }
}

export function goTo(frame, { follow = false } = {}) {
  const { project } = store;
  if (!project) return;
  const index = Math.max(0, Math.min(project.frames - 1, Math.round(frame)));
  set({ follow, before: follow ? store.before : false, heat: null });
  set({ frame: index });
}

export function objectInfo(id) {
  return store.project?.objects.find((each) => each.id === id);
}

/** What to call an object, even one that is not in the list any more. */
export const objectName = (id) => objectInfo(id)?.name ?? `object ${id}`;

/** What is known of a frame as the page shows it, {result, mark, tracked}: now, or in the version that is looked at. */
export function seen(index) {
  const { project, look, side } = store;
  const then = side === "then" ? look.frames[index] : null;
  return then ?? { result: project.results[index], mark: project.marks[index], tracked: project.trackedSet.has(index) };
}

/** Why a frame cannot be read, in words that follow "cannot be read: "; undefined if it can, as far as is known. */
export const whyUnreadable = (index) => store.project?.unreadable[index];

export function statusOf(index) {
  const { mark, tracked } = seen(index);
  if (mark) return mark.accepted ? "accepted" : "marked";
  return tracked ? "tracked" : "empty";
}

/** Make what the server sent fast to ask. */
export function adopt(state) {
  state.trackedSet = new Set(state.tracked);
  state.correctedSet = new Set(state.corrected);
  if (store.safeColours) state.palette = withSafeColours(state.palette);
  state.colours = state.palette.map(rgbOf);
  return state;
}
