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
  rows: "quality",
  view: "filled", // how masks are shown: a name in canvas/colouring.js
  before: false, // show the mask as it was before its correction
  absent: null, // why the frame is not on screen: "late" or "failed"
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

export function statusOf(index) {
  const mark = store.project.marks[index];
  if (mark) return mark.accepted ? "accepted" : "marked";
  return store.project.trackedSet.has(index) ? "tracked" : "empty";
}

/** Make what the server sent fast to ask. */
export function adopt(state) {
  state.trackedSet = new Set(state.tracked);
  state.correctedSet = new Set(state.corrected);
  if (store.safeColours) state.palette = withSafeColours(state.palette);
  state.colours = state.palette.map(rgbOf);
  return state;
}
