// Fingers and pens on the canvas: two fingers zoom and pan, a palm beside a pen is ignored, a pen's pressure is a size.

import { store } from "../page/store.js";
import * as view from "../canvas/view.js";

const PEN_NEAR = 1000; // milliseconds after a pen was seen: a touch is a palm
const LIGHTEST = 0.05; // of the brush's size
const fingers = new Map(); // pointer id -> where it is, {x, y}
const palms = new Set(); // pointer ids
let gesture = false; // two fingers have been down: until all are lifted, none of them paints
let penSeen = -Infinity;

/** How much of the brush's size a pointer paints with. */
export function pressureOf({ pointerType, pressure }) {
  return store.penSize && pointerType === "pen" ? Math.max(LIGHTEST, pressure) : 1;
}

/** A pointer is pressed; true if no tool may have it. `giveUp` takes back what a finger has begun. */
export function begins(event, giveUp) {
  notice(event);
  if (event.pointerType === "pen" && fingers.size) {
    giveUp(); // the palm came before the pen
    for (const id of fingers.keys()) palms.add(id);
    fingers.clear();
  }
  if (event.pointerType !== "touch") return false;
  if (event.timeStamp - penSeen < PEN_NEAR) {
    palms.add(event.pointerId);
    return true;
  }
  fingers.set(event.pointerId, placeOf(event));
  if (fingers.size > 1 && !gesture) {
    gesture = true;
    giveUp();
  }
  return gesture;
}

/** A pointer moves; true if no tool may have it. */
export function moves(event) {
  notice(event);
  if (palms.has(event.pointerId)) return true;
  if (!fingers.has(event.pointerId)) return false;
  const before = grip();
  fingers.set(event.pointerId, placeOf(event));
  if (gesture && before) follow(before, grip());
  return gesture;
}

/** A pointer is lifted; true if no tool had it. */
export function ends(event) {
  notice(event);
  if (palms.delete(event.pointerId)) return true;
  const was = gesture && fingers.has(event.pointerId);
  fingers.delete(event.pointerId);
  if (!fingers.size) gesture = false;
  return was;
}

function notice({ pointerType, timeStamp }) {
  if (pointerType === "pen") penSeen = timeStamp;
}

function placeOf({ clientX, clientY }) {
  const { left, top } = view.canvas.getBoundingClientRect();
  return { x: clientX - left, y: clientY - top };
}

/** The middle of the first two fingers and how far they are apart; null with fewer. */
function grip() {
  const [a, b] = fingers.values();
  return b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) } : null;
}

function follow(before, now) {
  view.panBy(now.x - before.x, now.y - before.y);
  if (before.apart > 1 && now.apart > 1) view.zoomBy(now.apart / before.apart, now);
}
