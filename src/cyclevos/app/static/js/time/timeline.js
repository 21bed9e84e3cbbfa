// The strip of time: thumbnails, what a person did, and a row per object with its quality or its presence.

import * as api from "../page/api.js";
import { hasIsland, islandWords } from "./islands.js";
import "./legend.js";
import { similarity } from "./look.js";
import { qualityColour } from "../page/quality.js";
import { goTo, on, seen, set, statusOf, store } from "../page/store.js";
import { drawUnreadable, readableNear, unreadableWords } from "./unreadable.js";
import { $, el, styleColour } from "../page/ui.js";

const canvas = $("strip-canvas");
const strip = $("strip");
const context = canvas.getContext("2d");
const THUMBNAILS = 36; // CSS pixels
const STATUS = 10;
const ROW = 14;
const ISLAND = 4; // of a row, above
const playhead = el("div.playhead", { "aria-hidden": "true" });
let pictures = new Map(); // index -> ImageBitmap
let asked = 0;

function redrawStrip() {
  asked ||= requestAnimationFrame(draw);
}

/** Frames [a, b) that a column of the canvas shows; at least one. */
function framesAt(column, width) {
  const { frames } = store.project;
  const a = Math.floor((column / width) * frames);
  return [a, Math.max(a + 1, Math.floor(((column + 1) / width) * frames))];
}

function draw() {
  asked = 0;
  const { project } = store;
  if (!project) return;
  const ratio = devicePixelRatio;
  const height = THUMBNAILS + STATUS + ROW * project.objects.length + 2;
  const width = Math.max(1, Math.round(strip.clientWidth * ratio));
  Object.assign(canvas, { width, height: Math.round(height * ratio) });
  canvas.style.height = `${height}px`;
  context.scale(1, ratio); // columns are device pixels, rows CSS pixels
  context.fillStyle = styleColour("--sunken");
  context.fillRect(0, 0, width, height);
  drawThumbnails(width, ratio);
  drawStatus(width, ratio);
  drawUnreadable(context, width, THUMBNAILS + STATUS, ratio);
  project.objects.forEach((info, k) => drawRow(info, THUMBNAILS + STATUS + 2 + k * ROW, width));
  movePlayhead();
}

function drawThumbnails(width, ratio) {
  const { project } = store;
  const each = (THUMBNAILS * project.width * ratio) / project.height;
  const indices = project.thumbnails;
  if (!indices.length) return;
  for (let x = 0; x < width; x += each) {
    const wanted = ((x + each / 2) / width) * project.frames;
    const place = Math.min(indices.length - 1, Math.max(0, Math.round(wanted / (indices[1] - indices[0] || 1))));
    const index = readableNear(indices, place);
    const bitmap = pictures.get(index);
    if (bitmap) context.drawImage(bitmap, x, 0, each, THUMBNAILS);
    else fetchThumbnail(index);
  }
}

async function fetchThumbnail(index) {
  if (pictures.has(index)) return;
  pictures.set(index, null);
  const mine = pictures;
  const bitmap = await api.fetchBitmap(`/projects/${store.project.id}/thumbnails/${index}`).catch(() => null);
  mine.set(index, bitmap);
  if (bitmap) redrawStrip();
}

function drawStatus(width, ratio) {
  const colours = { accepted: styleColour("--good"), marked: styleColour("--accent"), tracked: styleColour("--ink-quiet") };
  const { project } = store;
  for (let x = 0; x < width; x++) {
    const [a] = framesAt(x, width);
    if (!seen(a).tracked) continue;
    context.fillStyle = colours.tracked;
    context.fillRect(x, THUMBNAILS + STATUS / 2, 1, 1.5);
  }
  const one = Math.max(5 * ratio, width / project.frames);
  const { look, side } = store;
  for (const index of Object.keys({ ...project.marks, ...(side === "then" ? look.frames : null) })) {
    if (!seen(index).mark) continue;
    const middle = ((Number(index) + 0.5) / project.frames) * width;
    context.fillStyle = colours[statusOf(Number(index))];
    context.fillRect(middle - one / 2, THUMBNAILS + 2, one, STATUS - 2);
  }
  context.fillStyle = styleColour("--danger");
  for (const { frame } of look?.list ?? project.review) {
    if (!look && project.marks[frame]) continue;
    const middle = ((frame + 0.5) / project.frames) * width;
    context.beginPath();
    context.moveTo(middle - 4 * ratio, THUMBNAILS + STATUS);
    context.lineTo(middle + 4 * ratio, THUMBNAILS + STATUS);
    context.lineTo(middle, THUMBNAILS + 2);
    context.fill();
  }
}

/** One object over time; a column of many frames shows the worst of them. */
function drawRow({ id, hidden }, y, width) {
  const { project, side } = store;
  const compares = side === "difference";
  const largest = Math.max(1, ...Object.values(project.results).map(([, areas]) => areas[id] ?? 0));
  const own = project.palette[id];
  context.globalAlpha = hidden ? 0.35 : 1;
  for (let x = 0; x < width; x++) {
    const [a, b] = framesAt(x, width);
    let worst = Infinity;
    let area = 0;
    let byHand = false;
    let island = false;
    for (let index = a; index < b; index++) {
      const { result, mark } = seen(index);
      if (compares) worst = Math.min(worst, similarity(index, id) ?? Infinity);
      if (!result) continue;
      area = Math.max(area, result[1][id] ?? 0);
      if (compares) continue;
      island ||= hasIsland(index, id);
      if (mark) byHand ||= mark.accepted || mark.objects.includes(id);
      else if (result[0][id] !== undefined) worst = Math.min(worst, result[0][id]);
    }
    if (store.rows === "presence" && !compares) {
      if (!area) continue;
      const tall = 2 + (ROW - 5) * Math.sqrt(area / largest);
      context.fillStyle = own;
      context.fillRect(x, y + ROW - 1 - tall, 1, tall);
    } else if (worst !== Infinity || byHand || area) {
      context.fillStyle = worst !== Infinity ? qualityColour(worst) : byHand ? styleColour("--accent") : styleColour("--line");
      context.fillRect(x, y + 1, 1, ROW - 3);
    }
    if (island) {
      context.fillStyle = styleColour("--ink");
      context.fillRect(x, y + 1, 1, ISLAND);
    }
  }
  context.globalAlpha = 1;
  drawGone(id, y, width);
}

/** Where a person said that an object is gone: a dashed line. */
function drawGone(id, y, width) {
  const { absences, frames } = store.project;
  for (const { object, first, last } of absences) {
    if (object !== id) continue;
    const [a, b] = [first, last + 1].map((index) => (index / frames) * width);
    context.fillStyle = styleColour("--sunken");
    context.fillRect(a, y, b - a, ROW - 1);
    context.fillStyle = styleColour("--ink");
    const dash = 4 * devicePixelRatio;
    for (let x = a; x < b; x += 2 * dash) context.fillRect(x, y + ROW / 2 - 1.5, Math.min(dash, b - x), 1.5);
  }
}

function showNames() {
  const top = THUMBNAILS + STATUS + 2;
  $("row-names").replaceChildren(...store.project.objects.map(({ name, id }, k) => {
    const label = el("span", {}, name);
    label.style.top = `${top + k * ROW - 1}px`;
    if (id === store.object) label.classList.add("active");
    return label;
  }));
}

function movePlayhead() {
  const { project, frame } = store;
  if (!project) return;
  const one = strip.clientWidth / project.frames;
  playhead.style.width = `${Math.max(2, one)}px`;
  playhead.style.transform = `translateX(${Math.min(strip.clientWidth - 2, frame * one)}px)`;
  strip.setAttribute("aria-valuemax", project.frames - 1);
  strip.setAttribute("aria-valuenow", frame);
  const status = unreadableWords(frame) ? "cannot be read" : statusOf(frame);
  strip.setAttribute("aria-valuetext", `frame ${frame} of ${project.frames}, ${status}`);
}

function frameAt({ clientX }) {
  const { left, width } = strip.getBoundingClientRect();
  return Math.max(0, Math.min(store.project.frames - 1, Math.floor(((clientX - left) / width) * store.project.frames)));
}

/** What is to be said of the frames under the pointer. */
function tooltip({ clientX }) {
  const [first, last] = [-2, 2].map((near) => frameAt({ clientX: clientX + near }));
  return unreadableWords(first, last) || islandWords(frameAt({ clientX }));
}

function press(event) {
  if (!store.project || event.button) return;
  strip.setPointerCapture(event.pointerId);
  goTo(frameAt(event));
  const row = Math.floor((event.clientY - canvas.getBoundingClientRect().top - THUMBNAILS - STATUS - 2) / ROW);
  const info = store.project.objects[row];
  if (row >= 0 && info) set({ object: info.id });
}

strip.append(playhead);
strip.addEventListener("pointerdown", press);
strip.addEventListener("pointermove", (event) => strip.hasPointerCapture(event.pointerId) && goTo(frameAt(event)));
strip.addEventListener("pointermove", (event) => store.project && (strip.title = tooltip(event)));
strip.addEventListener("wheel", (event) => {
  if (!store.project) return;
  // Over the rows the wheel scrolls, where they do not all fit; over the pictures it goes through the frames.
  const box = strip.parentElement;
  const overRows = event.clientY - canvas.getBoundingClientRect().top > THUMBNAILS + STATUS;
  if (overRows && box.scrollHeight > box.clientHeight) return;
  event.preventDefault();
  goTo(store.frame + Math.sign(event.deltaY || event.deltaX));
}, { passive: false });
new ResizeObserver(redrawStrip).observe(strip);

on("frame", movePlayhead);
on("frames objects rows theme review absences refreshed side compared", redrawStrip);
on("objects object", () => store.project && showNames());
on("project", () => {
  pictures = new Map();
  if (!store.project) return;
  showNames();
  redrawStrip();
});
