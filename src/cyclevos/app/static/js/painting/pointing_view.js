// How the prompts of the tool Point look: plus signs on the object, minus signs beside it, boxes, strokes, a preview.

import { store } from "../page/store.js";

const RADIUS = 7; // CSS pixels
const COLOURS = { true: "#0f7b3f", false: "#c62828" };

/** Draw steps, what a pressed pointer is drawing, and the preview over the frame. */
export function drawPrompts(context, { scale, x, y }, { steps, drawn, preview }) {
  const at = (p) => [p.x * scale + x, p.y * scale + y];
  if (preview) {
    const { rect, picture } = preview;
    context.imageSmoothingEnabled = true;
    context.drawImage(picture, rect.x * scale + x, rect.y * scale + y, rect.w * scale, rect.h * scale);
  }
  for (const step of drawn ? [...steps, drawn] : steps) {
    if (step.box) drawBox(context, step, at);
    else if (step.points.length > 1) drawStroke(context, step, at);
  }
  for (const { points, positive, answered } of steps) if (points.length) drawSign(context, at(points[0]), positive, answered);
}

function outlined(context, colour, width, path) {
  for (const [style, wide] of [["#fff", width + 2], [colour, width]]) {
    context.strokeStyle = style;
    context.lineWidth = wide;
    context.beginPath();
    path();
    context.stroke();
  }
}

function drawBox(context, { box, answered = true }, at) {
  const [left, top] = at({ x: box.left, y: box.top });
  const [right, bottom] = at({ x: box.right, y: box.bottom });
  context.setLineDash(answered ? [] : [6, 4]);
  outlined(context, "#1c1d22", 1.5, () => context.rect(left, top, right - left, bottom - top));
  context.setLineDash([]);
}

function drawStroke(context, { points, positive }, at) {
  context.setLineDash([]);
  outlined(context, COLOURS[positive], 3, () => points.forEach((p, k) => context[k ? "lineTo" : "moveTo"](...at(p))));
}

/** A disk with a sign; hollow until its mask is here. */
function drawSign(context, [x, y], positive, answered) {
  context.setLineDash([]);
  context.fillStyle = answered ? COLOURS[positive] : "#fff";
  context.strokeStyle = answered ? "#fff" : COLOURS[positive];
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, RADIUS, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3.5, y);
  context.lineTo(x + 3.5, y);
  if (positive) {
    context.moveTo(x, y - 3.5);
    context.lineTo(x, y + 3.5);
  }
  context.stroke();
}

/** Make a picture of a mask in its object's colour. */
export function previewOf({ rect, pixels }) {
  const picture = document.createElement("canvas");
  Object.assign(picture, { width: rect.w, height: rect.h });
  const context = picture.getContext("2d");
  const image = context.createImageData(rect.w, rect.h);
  const [red, green, blue] = store.project.colours[store.object || 1];
  const colour = ((150 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  const out = new Uint32Array(image.data.buffer);
  for (let at = 0; at < pixels.length; at++) if (pixels[at]) out[at] = colour;
  context.putImageData(image, 0, 0);
  return { rect, picture };
}
