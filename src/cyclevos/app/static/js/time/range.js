// The range that tracking is for: its in and out point on the strip, set by keys, dragged, or moved with the arrows.

import * as api from "../page/api.js";
import { attempt } from "../page/messages.js";
import { emit, goTo, on, store } from "../page/store.js";
import { $, el } from "../page/ui.js";

const HANDLE = 12; // CSS pixels
const box = $("range");
const parts = { before: el("div.outside"), band: el("div.band"), after: el("div.outside") };
const handles = { first: handle("first", "First frame to track"), last: handle("last", "Last frame to track") };
box.append(parts.before, parts.band, parts.after, handles.first, handles.last);

/** Whether there is an in or an out point. */
export const isRange = () => store.project.range.first !== null || store.project.range.last !== null;

/** The first and the last frame of the range, the video's own where there is no point. */
export function range() {
  const { frames, range: { first, last } } = store.project;
  return { first: first ?? 0, last: Math.min(last ?? frames - 1, frames - 1) };
}

function place(points) {
  store.project.range = points;
  emit("range");
}

async function save(points) {
  const { project } = store;
  const former = project.range;
  place(points);
  if (!(await attempt(() => api.call("PUT", `/projects/${project.id}/range`, points)))) place(former);
}

export const clearRange = () => save({ first: null, last: null });

/** Set the in point at this frame, or remove it if it is there. */
export function markIn() {
  const { frame, project: { range: { first, last } } } = store;
  save(first === frame ? { first: null, last } : { first: frame, last: last !== null && last < frame ? null : last });
}

/** Set the out point at this frame, or remove it if it is there. */
export function markOut() {
  const { frame, project: { range: { first, last } } } = store;
  save(last === frame ? { first, last: null } : { first: first !== null && first > frame ? null : first, last: frame });
}

function handle(end, label) {
  const knob = el("div.handle", { id: `range-${end}`, role: "slider", tabindex: "0", "aria-label": label });
  const moved = (index) => {
    const { first, last } = range();
    const at = end === "first" ? Math.max(0, Math.min(index, last)) : Math.min(store.project.frames - 1, Math.max(index, first));
    return { ...store.project.range, [end]: at };
  };
  const drag = (event) => {
    const { left, width } = box.getBoundingClientRect();
    place(moved(Math.floor(((event.clientX - left) / width) * store.project.frames)));
    goTo(store.project.range[end]);
  };
  knob.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    knob.focus();
    knob.setPointerCapture(event.pointerId);
  });
  knob.addEventListener("pointermove", (event) => knob.hasPointerCapture(event.pointerId) && drag(event));
  knob.addEventListener("lostpointercapture", () => save(store.project.range));
  knob.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    const removed = event.key === "Delete" || event.key === "Backspace";
    if (!by && !removed) return;
    event.preventDefault();
    event.stopPropagation();
    if (removed) {
      save({ ...store.project.range, [end]: null });
      $("strip").focus();
      return;
    }
    save(moved(range()[end] + by * (event.shiftKey ? 10 : 1)));
    goTo(range()[end]);
  });
  return knob;
}

function show() {
  if (!store.project) return;
  box.hidden = !isRange();
  if (box.hidden) return;
  const { frames } = store.project;
  const { first, last } = range();
  const [a, b] = [(100 * first) / frames, (100 * (last + 1)) / frames];
  Object.assign(parts.before.style, { left: "0", width: `${a}%` });
  Object.assign(parts.band.style, { left: `${a}%`, width: `${b - a}%` });
  Object.assign(parts.after.style, { left: `${b}%`, right: "0" });
  // Outside of the frames that they bound, so that both can be taken when the range is one frame.
  handles.first.style.left = `max(0px, ${a}% - ${HANDLE}px)`;
  handles.last.style.left = `min(100% - ${HANDLE}px, ${b}%)`;
  for (const [end, index] of Object.entries({ first, last })) {
    handles[end].setAttribute("aria-valuemin", 0);
    handles[end].setAttribute("aria-valuemax", frames - 1);
    handles[end].setAttribute("aria-valuenow", index);
    handles[end].setAttribute("aria-valuetext", `frame ${index}`);
    handles[end].hidden = store.project.range[end] === null;
  }
}

on("range project refreshed", show);
