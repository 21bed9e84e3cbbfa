// The choice of a view, its menu and its legend; zooming to the chosen object; the mask before its correction while a key
// is held.

import { VIEWS } from "./colouring.js";
import { extentOf } from "./raster.js";
import { objectInfo, on, set, store } from "../page/store.js";
import { $, el, toast } from "../page/ui.js";
import * as view from "./view.js";

const KEPT = "cyclevos-view";
const menu = $("view");
let zoomed = false; // to the chosen object
let held = false; // the key that shows the mask before its correction

/** Show the masks another way; the choice is kept for the next visit. */
export function chooseView(name) {
  localStorage.setItem(KEPT, name);
  set({ view: name });
}

/** Go through the views, a step on or back. */
export function nextView(step = 1) {
  const names = Object.keys(VIEWS);
  chooseView(names.at((names.indexOf(store.view) + step) % names.length));
}

/** Zoom to the mask of the chosen object; again: to the whole frame. */
export function zoomToObject() {
  if (zoomed) {
    view.fit();
    return;
  }
  const rect = view.shown && extentOf(view.shown.ids, store.object, store.project.width);
  if (!rect) {
    toast(`${objectInfo(store.object)?.name ?? "The chosen object"} has no mask in this frame. Go to a frame where it has one.`);
    return;
  }
  view.zoomTo(rect);
  zoomed = true;
}

/** Show the mask before its correction until the key is released. */
export function holdBefore() {
  held ||= store.project.correctedSet.has(store.frame);
  if (held) set({ before: true, heat: null });
  else toast("This frame's mask was not changed by a correction.");
}

function showView() {
  menu.value = store.view;
  const entries = (VIEWS[store.view].legend ?? []).map(([colour, words]) => {
    const sample = el("i");
    sample.style.background = colour;
    return el("span", {}, sample, words);
  });
  $("view-legend").hidden = !entries.length;
  $("view-legend").replaceChildren(...entries);
}

menu.append(...Object.entries(VIEWS).map(([name, { label }]) => new Option(label, name)));
menu.addEventListener("change", () => {
  chooseView(menu.value);
  view.canvas.focus(); // keys are shortcuts again
});
addEventListener("keyup", ({ key }) => {
  if (!held || key.toLowerCase() !== "w") return;
  held = false;
  set({ before: false });
});
on("view", showView);
on("moved", () => (zoomed = false));
const kept = localStorage.getItem(KEPT);
if (kept in VIEWS) set({ view: kept });
showView();
