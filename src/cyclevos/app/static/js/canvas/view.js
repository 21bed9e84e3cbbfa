// The canvas: the frame, its masks over it, zoom and pan. What is shown always belongs together: one frame, its mask.

import * as api from "../page/api.js";
import * as frames from "./frames.js";
import * as looking from "../time/look.js";
import { colour, tablesOf, VIEWS } from "./colouring.js";
import { extent, union } from "./raster.js";
import { attempt } from "../page/messages.js";
import { emit, goTo, objectName, on, seen, set, store, whyUnreadable } from "../page/store.js";
import { $ } from "../page/ui.js";

export const canvas = $("canvas");
const box = $("canvas-box");
const context = canvas.getContext("2d", { alpha: false });
const overlay = document.createElement("canvas"); // the masks in colour, at their size
const overlayContext = overlay.getContext("2d");
const decorations = [];
const STEPS = { previous: -1, next: 1 }; // from a frame to the layers beside it
const LEAST = 0.05;
const MOST = 40;
const ENOUGH = 0.9; // screen pixels of a frame that has to be shown sharply while it plays, as a share

/**
 * What the canvas shows, null before the first frame is here. While it plays, masks may be reduced: `fit` pixels wide, 0 =
 * exact. `width` and `height` are those of the masks.
 */
export let shown = null; // {frame, fit, picture, ids, width, height, owner: the loaded mask of ids, or null, view, layers}
let place = { scale: 1, x: 0, y: 0 }; // image to CSS pixels: x * scale + place.x
let fitted = true;
let working = false;
let asked = 0;
let tables = null; // the colours of all ids
let laidOut = null; // size of the frames that have been given their place

/** Have something drawn over the masks: draw(context, place), in CSS pixels. */
export function decorate(draw) {
  decorations.push(draw);
}

/** Where in the image a pointer is, in pixels; pixel centres are at .5. */
export function imagePoint(event) {
  const { left, top } = canvas.getBoundingClientRect();
  return { x: (event.clientX - left - place.x) / place.scale, y: (event.clientY - top - place.y) / place.scale };
}

export const scale = () => place.scale;

/** How wide frames and masks have to be for what the screen shows of them, a width that the server offers; 0 = as they are. */
export function playingWidth() {
  const { width } = store.project;
  const wanted = Math.min(width, ENOUGH * width * place.scale * devicePixelRatio);
  const fit = store.server.widths.find((each) => each >= wanted) ?? width;
  return fit < width ? fit : 0;
}

/** Whether the masks on screen are the exact ones, which can be painted on, measured and compared. */
export const isExact = () => Boolean(shown) && !shown.fit;

/** Draw soon, once, however often it is asked for. */
export function redraw() {
  asked ||= requestAnimationFrame(draw);
}

/** Colour all masks again. */
function recolourAll() {
  if (!shown) return;
  const { width, height } = shown;
  const whole = { x: 0, y: 0, w: width, h: height };
  overlayContext.clearRect(0, 0, width, height);
  const layers = [shown, ...Object.values(shown.layers).filter(Boolean)];
  const rect = VIEWS[shown.view].everywhere ? whole : layers.map(({ ids }) => extent(ids, width, height)).reduce(union, null);
  if (rect) recolour(rect);
  redraw();
}

/** Colour a rectangle of the masks again. */
function recolour(rect) {
  if (!shown) return;
  const { width, height } = shown;
  const thick = shown.view === "filled" ? 1 : Math.max(1, Math.round(width / 1200)); // outlines are seen on 4K too
  const x0 = Math.max(0, rect.x - thick);
  const y0 = Math.max(0, rect.y - thick);
  const x1 = Math.min(width, rect.x + rect.w + thick);
  const y1 = Math.min(height, rect.y + rect.h + thick);
  const image = overlayContext.createImageData(x1 - x0, y1 - y0);
  const scene = { ...tables, ids: shown.ids, layers: shown.layers, object: store.object, width, height, thick };
  colour(scene, VIEWS[shown.view], { x0, y0, x1, y1 }, new Uint32Array(image.data.buffer));
  overlayContext.putImageData(image, x0, y0);
  redraw();
}

/** Show the frame that the store asks for as soon as it arrives; frames passed over in the meantime are skipped. */
export async function show() {
  if (working) return;
  working = true;
  const { frame: asked } = store;
  const went = await attempt(async () => {
    while (store.project && !isCurrent() && !whyUnreadable(store.frame)) {
      const { frame, before, project, side, playing } = store;
      const fit = playing ? playingWidth() : 0;
      const view = looking.viewName();
      const parts = [frames.picture(frame, fit), looking.load(frame, fit), loadLayers(frame, view, fit)];
      const [picture, owner, layers] = await Promise.all(parts);
      const mask = before ? await beforeMask(frame, fit) : owner;
      if (store.project?.id !== project.id || store.side !== side || (fit && !store.playing)) continue;
      const { ids, width, height } = { width: project.width, height: project.height, ...mask };
      take({ frame, fit, picture, ids, width, height, owner: before ? null : owner, view, layers });
    }
    return true;
  });
  working = false;
  if (went || !store.project) return;
  if (store.frame === asked) set({ absent: "failed" });
  else show();
}

function isCurrent() {
  if (shown?.frame !== store.frame || shown.view !== looking.viewName() || (shown.fit && !store.playing)) return false;
  const besides = Object.entries(STEPS).filter(([name]) => name in shown.layers);
  if (besides.some(([name, step]) => shown.layers[name] !== (looking.peek(shown.frame + step, shown.fit) ?? null))) return false;
  return store.before ? !shown.owner : shown.owner === looking.peek(store.frame, shown.fit);
}

/** The other masks that a view needs; null in place of those that there are not. */
async function loadLayers(frame, view, fit) {
  const { frames: length, correctedSet, id } = store.project;
  const names = VIEWS[view].layers ?? [];
  const found = await Promise.all(names.map(async (name) => {
    if (name === "then") return looking.covers(frame) ? looking.then(frame, fit) : null;
    if (store.side === "then" && name === "uncorrected") return null;
    if (name === "uncorrected") return correctedSet.has(frame) ? api.fetchBefore(id, frame, fit) : null;
    const beside = frame + STEPS[name];
    return beside < 0 || beside >= length ? null : looking.load(beside, fit).catch(() => null);
  }));
  return Object.fromEntries(names.map((name, k) => [name, found[k]]));
}

async function beforeMask(frame, fit) {
  return api.fetchBefore(store.project.id, frame, fit).catch((error) => {
    set({ before: false });
    throw error;
  });
}

function take(next) {
  const { project } = store;
  const step = shown && next.frame < shown.frame ? -1 : 1;
  shown = next;
  if (overlay.width !== next.width || overlay.height !== next.height) {
    Object.assign(overlay, { width: next.width, height: next.height });
  }
  if (laidOut?.width !== project.width || laidOut.height !== project.height) {
    laidOut = { width: project.width, height: project.height };
    fit();
  }
  recolourAll();
  emit("shown");
  if (!store.playing) frames.prefetch(next.frame, step);
}

function describe() {
  const present = new Set(Object.keys(seen(shown.frame).result?.[1] ?? {}).map(Number));
  const names = [...present].map(objectName);
  canvas.setAttribute("aria-label", `Frame ${shown.frame}: ${names.length ? names.join(", ") : "no object marked"}`);
}

function draw() {
  asked = 0;
  const ratio = devicePixelRatio;
  const width = Math.round(box.clientWidth * ratio);
  const height = Math.round(box.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = getComputedStyle(box).getPropertyValue("--stage");
  context.fillRect(0, 0, width, height);
  if (!shown || store.absent) return; // never the picture of another frame
  const { scale: size, x, y } = place;
  context.setTransform(size * ratio, 0, 0, size * ratio, x * ratio, y * ratio);
  context.imageSmoothingEnabled = size * ratio < 2; // from there on pixels are seen as what they are
  const heat = store.heat?.frame === shown.frame ? store.heat.bitmap : null;
  context.drawImage(heat ?? shown.picture, 0, 0, store.project.width, store.project.height);
  if (!heat && store.opacity > 0) context.drawImage(overlay, 0, 0, store.project.width, store.project.height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const decoration of decorations) decoration(context, place);
  canvas.dataset.frame = shown.frame;
}

/** Show the whole frame. */
export function fit() {
  const { width, height } = store.project;
  const margin = 8;
  const across = (box.clientWidth - 2 * margin) / width;
  const down = (box.clientHeight - 2 * margin) / height;
  const size = Math.min(MOST, Math.max(LEAST, Math.min(across, down)));
  place = { scale: size, x: (box.clientWidth - width * size) / 2, y: (box.clientHeight - height * size) / 2 };
  fitted = true;
  moved();
}

/** Zoom by a factor about a point of the canvas, its middle without one. */
export function zoomBy(factor, at = { x: box.clientWidth / 2, y: box.clientHeight / 2 }) {
  const size = Math.min(MOST, Math.max(LEAST, place.scale * factor));
  const by = size / place.scale;
  place = { scale: size, x: at.x - (at.x - place.x) * by, y: at.y - (at.y - place.y) * by };
  fitted = false;
  moved();
}

/** Show a rectangle of the frame as large as possible, with some of what is around it. */
export function zoomTo({ x, y, w, h }) {
  const across = box.clientWidth / (1.5 * w);
  const down = box.clientHeight / (1.5 * h);
  const size = Math.min(MOST, Math.max(LEAST, Math.min(across, down)));
  place = { scale: size, x: box.clientWidth / 2 - (x + w / 2) * size, y: box.clientHeight / 2 - (y + h / 2) * size };
  fitted = false;
  moved();
}

/** One pixel of the video on one of the screen. */
export const nativeSize = () => zoomBy(1 / devicePixelRatio / place.scale);

export function panBy(dx, dy) {
  place = { ...place, x: place.x + dx, y: place.y + dy };
  fitted = false;
  moved();
}

function moved() {
  $("zoom").textContent = `${Math.round(place.scale * devicePixelRatio * 100)} %`;
  emit("moved");
  redraw();
}

function makeColours() {
  if (!store.project) return;
  tables = tablesOf(store.project, store.opacity);
  recolourAll();
}

canvas.addEventListener("wheel", (event) => {
  if (!store.project) return;
  event.preventDefault();
  if (event.shiftKey) {
    goTo(store.frame + Math.sign(event.deltaY || event.deltaX));
    return;
  }
  const { left, top } = canvas.getBoundingClientRect();
  zoomBy(Math.exp(-event.deltaY / 400), { x: event.clientX - left, y: event.clientY - top });
}, { passive: false });

let measured = { width: 0, height: 0 }; // of the canvas when it was laid out last

/** Keep the whole frame in view, or else the point in the middle of the canvas. */
function layOut() {
  const { clientWidth: width, clientHeight: height } = box;
  const [dx, dy] = [(width - measured.width) / 2, (height - measured.height) / 2];
  measured = { width, height };
  if (!store.project || !shown) return;
  if (fitted) fit();
  else panBy(dx, dy);
  draw(); // at once: a resized canvas is empty
}

new ResizeObserver(layOut).observe(box);

on("frame before refreshed view side playing", show);
on("mask", (index) => Math.abs(index - store.frame) <= 1 && show());
on("object", () => shown?.view === "dimmed" && recolourAll());
on("painted", (rect) => (isExact() ? recolour(rect) : show())); // a reduced mask is made again
on("heat theme absent", redraw);
on("frames", (index) => index === shown?.frame && describe());
on("opacity objects", makeColours);
on("project", () => {
  shown = null;
  if (store.project) {
    makeColours();
    show();
  }
});
