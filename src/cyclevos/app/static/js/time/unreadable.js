// Frames that cannot be read, on the strip: hatched, and named in words.

import { store, whyUnreadable } from "../page/store.js";
import { styleColour } from "../page/ui.js";

const LEAST = 3; // CSS pixels: a frame of a long video is seen too
const STEP = 4; // from line to line

/** The unreadable frames as stretches of neighbours, [first, last] each. */
function stretches() {
  const found = [];
  for (const index of Object.keys(store.project.unreadable).map(Number).sort((a, b) => a - b)) {
    if (found.at(-1)?.[1] === index - 1) found.at(-1)[1] = index;
    else found.push([index, index]);
  }
  return found;
}

/** Hatch the frames that cannot be read; columns are device pixels, rows CSS pixels. */
export function drawUnreadable(context, width, height, ratio) {
  for (const [first, last] of stretches()) {
    const [from, to] = [first, last + 1].map((index) => (index / store.project.frames) * width);
    const wide = Math.max(LEAST * ratio, to - from);
    context.save();
    context.beginPath();
    context.rect(Math.min(from, width - wide), 0, wide, height);
    context.clip();
    context.fillStyle = styleColour("--sunken");
    context.fillRect(from - wide, 0, 3 * wide, height);
    context.strokeStyle = styleColour("--danger");
    context.lineWidth = 1.5;
    context.beginPath();
    for (let x = from - height * ratio; x < from + wide; x += STEP * ratio) {
      context.moveTo(x, height);
      context.lineTo(x + height * ratio, 0);
    }
    context.stroke();
    context.restore();
  }
}

/** The readable frame of a list that is nearest to a place in it; what is there if none is near. */
export function readableNear(indices, place) {
  for (let away = 0; away < indices.length; away++) {
    for (const index of [indices[place - away], indices[place + away]]) {
      if (index !== undefined && !whyUnreadable(index)) return index;
    }
  }
  return indices[place];
}

/** The first frame after one that can be read, or else the last before it; null if there is none. */
export function nextReadable(index) {
  const { frames } = store.project;
  for (let after = index + 1; after < frames; after++) if (!whyUnreadable(after)) return after;
  for (let before = index - 1; before >= 0; before--) if (!whyUnreadable(before)) return before;
  return null;
}

/** What is to be said of the first unreadable frame among some; empty where all can be read. */
export function unreadableWords(first, last = first) {
  for (let index = first; index <= last; index++) {
    const why = whyUnreadable(index);
    if (why) return `Frame ${index} cannot be read: ${why}`;
  }
  return "";
}
