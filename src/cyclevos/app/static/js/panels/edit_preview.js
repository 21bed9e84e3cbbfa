// What an edit would change, drawn over the frame: gained pixels in their new object's colour, lost ones in red.

import { store } from "../page/store.js";
import { redraw } from "../canvas/view.js";

const LOST = [214, 40, 40];
let picture = null;

/** Show the difference of two masks, null = none; return how many pixels differ. */
export function showDifference(masks) {
  picture = null;
  redraw();
  if (!masks) return 0;
  const { width, height, colours } = store.project;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const { before, after } = masks;
  let count = 0;
  for (let at = 0; at < out.length; at++) {
    if (before[at] === after[at]) continue;
    count += 1;
    const [r, g, b] = after[at] ? colours[after[at]] : LOST;
    const stripe = (at + Math.floor(at / width)) % 4 < 2; // told apart from a mask in any colour
    out[at] = (((after[at] || stripe ? 235 : 110) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  context.putImageData(image, 0, 0);
  if (count) picture = canvas;
  return count;
}

export function drawDifference(context, { scale, x, y }) {
  if (!picture) return;
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, x, y, picture.width * scale, picture.height * scale);
}
