// The tools: what a pointer, or the keyboard in its place, does on the canvas.

import * as edit from "./edit.js";
import * as history from "./history.js";
import * as pointing from "./pointing.js";
import * as touch from "./touch.js";
import { flood, polygon, stroke } from "../canvas/raster.js";
import { attempt } from "../page/messages.js";
import { on, set, store } from "../page/store.js";
import { $, el, icon, pressed } from "../page/ui.js";
import * as view from "../canvas/view.js";

const canvas = $("canvas");
let pointer = null; // where it is in the image, null while it is elsewhere
let grabbed = null; // what a pressed pointer does: {move, up, cancel}
let points = []; // of the polygon that is being drawn
let cross = false; // the pointer is moved by keys

const size = () => ({ width: store.project.width, height: store.project.height });

function paintStroke(start, value) {
  if (!edit.begin()) return null;
  const { width, height } = size();
  const to = value ?? store.object;
  let last = start;
  const line = (next) => {
    edit.apply((paint) => stroke(last, next, store.size * next.pressure, width, height, paint), to);
    last = next;
  };
  line(start);
  return { move: line, up: edit.end, cancel: edit.cancel };
}

function addPoint(point) {
  const first = points[0];
  if (!first && !edit.allowed()) return;
  const near = 8 / view.scale();
  if (points.length > 2 && Math.hypot(point.x - first.x, point.y - first.y) < near) closePolygon();
  else points.push(point);
  view.redraw();
}

function closePolygon() {
  const { width, height } = size();
  const corners = points;
  points = [];
  if (edit.begin()) {
    edit.apply((paint) => polygon(corners, width, height, paint), store.object);
    edit.end();
  }
  view.redraw();
}

function fillAt(point) {
  const { width, height } = size();
  if (!edit.begin()) return;
  const { ids } = view.shown.owner;
  edit.apply((paint) => flood(ids, Math.floor(point.x), Math.floor(point.y), width, height, paint), store.object);
  edit.end();
}

const pan = (event) => {
  let last = event;
  return {
    raw: (next) => {
      view.panBy(next.clientX - last.clientX, next.clientY - last.clientY);
      last = next;
    },
    move: () => {}, up: () => {}, cancel: () => {},
  };
};

const TOOLS = {
  point: {
    key: "C",
    title: "Point: click the object; Alt or the right button takes away; drag a box; Ctrl-drag a stroke; Shift previews",
    down: pointing.press,
    right: pointing.press,
  },
  brush: { key: "B", title: "Brush: paint the chosen object; the right button erases", down: (at) => paintStroke(at), right: (at) => paintStroke(at, 0) },
  eraser: { key: "E", title: "Eraser: erases every object that is not locked", down: (at) => paintStroke(at, 0) },
  polygon: { key: "P", title: "Polygon: click its corners, Enter closes it", down: addPoint },
  fill: { key: "F", title: "Fill: the area of one colour under the pointer, for example a hole", down: fillAt },
  pan: { key: "D", title: "Drag the picture; the middle button does that with every tool", down: (_, event) => pan(event) },
};

export function chooseTool(name) {
  points = [];
  set({ tool: name });
  view.redraw();
}

export const toolKeys = Object.fromEntries(Object.entries(TOOLS).map(([name, { key }]) => [key.toLowerCase(), name]));
toolKeys.x = "point"; // where a box used to be
export const toolTitles = Object.entries(TOOLS).map(([name, { title }]) => [
  Object.keys(toolKeys).filter((key) => toolKeys[key] === name).map((key) => key.toUpperCase()), title.split(/[:;]/)[0]]);

/** Where a pointer is in the image, and how much of the brush's size it has. */
const pointOf = (event) => ({ ...view.imagePoint(event), pressure: touch.pressureOf(event) });

function press(event) {
  if (!store.project || touch.begins(event, giveUp) || grabbed) return;
  const at = pointOf(event);
  pointer = at;
  cross = false;
  if (event.button === 1) grabbed = pan(event);
  else if (event.button === 2) grabbed = TOOLS[store.tool].right?.(at, event);
  else if (event.button === 0) grabbed = TOOLS[store.tool].down(at, event);
  grabbed ??= null;
  if (grabbed) canvas.setPointerCapture(event.pointerId);
  if (event.button) event.preventDefault();
}

function move(event) {
  if (!store.project || touch.moves(event)) return;
  const steps = event.getCoalescedEvents?.() ?? [];
  for (const each of steps.length ? steps : [event]) {
    pointer = pointOf(each);
    grabbed?.raw?.(each);
    grabbed?.move(pointer);
  }
  if (store.tool === "point" && !grabbed) pointing.hover(pointer, event);
  view.redraw();
}

function release(event) {
  if (event && touch.ends(event)) return;
  const was = grabbed;
  grabbed = null;
  was?.up();
  view.redraw();
}

/** Give up what is being drawn; false where nothing is. */
export function giveUp() {
  if (!grabbed && !points.length) return pointing.end();
  const was = grabbed;
  grabbed = null;
  points = [];
  was?.cancel();
  view.redraw();
  return true;
}

/** Keys that go to what is being drawn; true where one did. */
export function drawingKey(event) {
  if (store.tool === "point" && event.key === "Tab") return pointing.tab(event);
  if (points.length && event.key === "Enter" && !event.altKey) closePolygon();
  else if (points.length && event.key === "Backspace") points.pop();
  else if (document.activeElement === canvas && event.altKey && event.key.startsWith("Arrow")) moveByKey(event);
  else if (document.activeElement === canvas && event.key === "Enter") pressByKey(event);
  else return false;
  view.redraw();
  return true;
}

function moveByKey({ key, shiftKey }) {
  const { width, height } = size();
  const step = shiftKey ? 1 : Math.max(2, store.size / 3);
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const from = pointer ?? { x: width / 2, y: height / 2 };
  pointer = {
    x: Math.max(0, Math.min(width - 0.5, from.x + by[0] * step)),
    y: Math.max(0, Math.min(height - 0.5, from.y + by[1] * step)),
    pressure: 1,
  };
  cross = true;
  grabbed?.move(pointer);
}

/** Enter in place of a press: tools that drag take the next Enter for the release. */
function pressByKey(event) {
  if (!pointer) return;
  pointer.pressure = 1;
  if (grabbed) release();
  else if (store.tool !== "pan") {
    const began = TOOLS[store.tool].down(pointer, event) ?? null;
    if (began && !(store.tool === "point" && event.shiftKey)) began.up();
    else grabbed = began; // a box: the next press of Enter is its other corner
  }
}

function drawPointer(context, { scale, x, y }) {
  const at = (p) => [p.x * scale + x, p.y * scale + y];
  const outline = (path) => {
    context.setLineDash([]);
    for (const [colour, width] of [["rgb(0 0 0 / 65%)", 3], ["#fff", 1.25]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      path();
      context.stroke();
    }
  };
  if (points.length) {
    outline(() => [...points, ...(pointer ? [pointer] : [])].forEach((p, k) => context[k ? "lineTo" : "moveTo"](...at(p))));
    outline(() => points.forEach((p) => {
      const [cx, cy] = at(p);
      context.rect(cx - 3, cy - 3, 6, 6);
    }));
  }
  if (!pointer) return;
  const [cx, cy] = at(pointer);
  if (store.tool === "brush" || store.tool === "eraser") {
    outline(() => context.arc(cx, cy, Math.max(1, (store.size / 2) * scale), 0, 2 * Math.PI));
  }
  if (cross) {
    outline(() => {
      context.moveTo(cx - 9, cy);
      context.lineTo(cx + 9, cy);
      context.moveTo(cx, cy - 9);
      context.lineTo(cx, cy + 9);
    });
  }
}

/** The largest brush: a third of the canvas at any zoom, at least 200 pixels of the video. */
export const largestBrush = () => Math.max(200, Math.round(Math.min(canvas.clientWidth, canvas.clientHeight) / 3 / view.scale()));

function showTool() {
  for (const name of Object.keys(TOOLS)) pressed($(`tool-${name}`), store.tool === name);
  const drawn = store.tool === "brush" || store.tool === "eraser";
  $("size-label").hidden = !drawn;
  canvas.style.cursor = drawn ? "none" : store.tool === "pan" ? "grab" : "crosshair";
}

function build() {
  for (const [name, { key, title }] of Object.entries(TOOLS)) {
    const button = el("button.icon-button", {
      id: `tool-${name}`, type: "button", "aria-label": title.split(/[:;]/)[0], title: `${title} (${key})`,
      onclick: () => chooseTool(name),
    }, icon(name));
    $("tools").append(button);
  }
  const undo = el("button.icon-button", { id: "undo", type: "button", "aria-label": "Undo", title: "Undo (Ctrl+Z)",
    onclick: () => attempt(pointing.undo) }, icon("undo"));
  const redo = el("button.icon-button", { id: "redo", type: "button", "aria-label": "Redo",
    title: "Redo (Ctrl+Shift+Z)", onclick: () => attempt(history.redo) }, icon("redo"));
  $("tools").append(el("hr"), undo, redo);
  const showHistory = () => {
    const undone = history.undoTitle();
    const redone = history.redoTitle();
    undo.disabled = undone === undefined;
    redo.disabled = redone === undefined;
    undo.title = undone === undefined ? "Undo (Ctrl+Z)" : `Undo: ${undone} (Ctrl+Z)`;
    redo.title = redone === undefined ? "Redo (Ctrl+Shift+Z)" : `Redo: ${redone} (Ctrl+Shift+Z)`;
  };
  on("history saved", showHistory);
  showHistory();
  showTool();
}

canvas.addEventListener("pointerdown", press);
canvas.addEventListener("pointermove", move);
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", (event) => touch.ends(event) || giveUp());
canvas.addEventListener("dblclick", () => points.length > 2 && closePolygon());
canvas.addEventListener("contextmenu", (event) => event.preventDefault());
canvas.addEventListener("pointerleave", () => {
  if (!grabbed) pointer = null;
  pointing.hover(null);
  view.redraw();
});
on("tool", showTool);
on("moved", () => ($("size").max = Math.max(largestBrush(), store.size)));
on("frame", () => grabbed && giveUp());
on("look", giveUp);
view.decorate(drawPointer);
build();
