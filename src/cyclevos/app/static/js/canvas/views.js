// The choice of a view, its menu and its legend; zooming to the chosen object; the mask before its correction while a key
// is held.

import { VIEWS } from "./colouring.js";
import { extentOf } from "./raster.js";
import { toast } from "../page/messages.js";
import { objectInfo, on, set, store } from "../page/store.js";
import { viewName } from "../time/look.js";
import { $, el } from "../page/ui.js";
import * as view from "./view.js";

const KEPT = "cyclevos-view";
const menu = $("view");
const OFFERED = Object.fromEntries(Object.entries(VIEWS).filter(([, { label }]) => label));
let zoomed = false; // to the chosen object
let held = false; // the key that shows the mask before its correction
let flicked = null; // the side that was shown before the key was pressed

/** Show the masks another way; the choice is kept for the next visit. */
function chooseView(name) {
  localStorage.setItem(KEPT, name);
  set({ view: name });
}

/** Go through the views, a step on or back. */
export function nextView(step = 1) {
  const names = Object.keys(OFFERED);
  chooseView(names.at((names.indexOf(store.view) + step) % names.length));
}

/** Zoom to the mask of the chosen object; again: to the whole frame. */
export function zoomToObject() {
  if (zoomed) {
    view.fit();
    return;
  }
  const rect = view.shown && extentOf(view.shown.ids, store.object, view.shown.width);
  if (!rect) {
    toast(`${objectInfo(store.object)?.name ?? "The chosen object"} has no mask in this frame. Go to a frame where it has one.`);
    return;
  }
  const by = store.project.width / view.shown.width; // while it plays, masks are reduced
  view.zoomTo({ x: by * rect.x, y: by * rect.y, w: by * rect.w, h: by * rect.h });
  zoomed = true;
}

/** Until the key is released, show the mask before its correction, or while a version is looked at the other side. */
export function holdBefore() {
  if (store.look) {
    flicked ??= store.side;
    set({ side: flicked === "now" ? "then" : "now" });
    return;
  }
  held ||= store.project.correctedSet.has(store.frame);
  if (held) set({ before: true, heat: null });
  else toast("This frame's mask was not changed by a correction.");
}

function showView() {
  menu.value = store.view;
  const entries = (VIEWS[viewName()].legend ?? []).map(([colour, words]) => {
    const sample = el("i");
    sample.style.background = colour;
    return el("span", {}, sample, words);
  });
  $("view-legend").hidden = !entries.length;
  $("view-legend").replaceChildren(...entries);
}

menu.append(...Object.entries(OFFERED).map(([name, { label }]) => new Option(label, name)));
menu.addEventListener("change", () => {
  chooseView(menu.value);
  view.canvas.focus(); // keys are shortcuts again
});
function release() {
  if (held) set({ before: false });
  if (flicked && store.look) set({ side: flicked });
  [held, flicked] = [false, null];
}

addEventListener("keyup", ({ key }) => key.toLowerCase() === "w" && release());
addEventListener("blur", release);
on("view side", showView);
on("moved", () => (zoomed = false));
const kept = localStorage.getItem(KEPT);
if (kept in OFFERED) set({ view: kept });
showView();
