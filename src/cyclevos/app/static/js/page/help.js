// The page that lists all keys, and what the pointer does.

import { toolTitles } from "../painting/tools.js";
import { dialog, el } from "./ui.js";

// What is not a shortcut of the whole page: gestures, and keys that mean something while a thing is drawn or has the focus.
const BESIDES = {
  "Point": [
    ["Click", "This belongs to the object"],
    [["Alt click", "Right click"], "This does not"],
    ["Drag", "Box around the whole object"],
    ["Ctrl drag", "Stroke on it; with Alt beside it"],
    ["Tab", "Next candidate"],
    ["Shift", "Preview, while held"],
  ],
  "Frames": [
    ["Shift wheel", "Step through the frames"],
    ["Delete", "Remove the in or out point that has the focus"],
  ],
  "Objects and masks": [
    ["1 … 99", "Choose an object: two digits within half a second"],
    [["F2", "Double click"], "Rename the object"],
    ["Ctrl D", "Copy the object's mask from the frame before"],
    ["Ctrl Shift D", "Copy it from the frame after"],
    [["Ctrl Alt D", "Ctrl Alt Shift D"], "Copy all masks from the frame before, or after"],
    [["Ctrl arrows", "Ctrl Shift arrows"], "Move the object's mask by one pixel, or ten"],
  ],
  "On the canvas": [
    ["Alt arrows", "Move the pointer"],
    ["Enter", "Press there; close the polygon"],
    ["Backspace", "Take back the polygon's last corner"],
    ["Wheel", "Zoom at the pointer"],
    [["Middle button", "Two fingers"], "Drag the picture"],
  ],
};
const SIGNS = { ArrowLeft: "←", ArrowRight: "→", " ": "Space", "-": "−", Escape: "Esc" };
const ORDER = ["Tools", "Point", "Frames", "Track and review", "Objects and masks", "On the canvas", "View", "Project"];

/** A key as people read it: "Ctrl+Shift+z" is "Ctrl Shift Z". */
function shown(name) {
  const parts = name.length > 1 ? name.split("+") : [name];
  return parts.map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

function row([keys, words]) {
  const kinds = [keys].flat().map((key) => el("kbd", {}, key));
  return el("div", {}, el("span", {}, words), el("span.keys", {}, ...kinds));
}

/** Show the keys of the page, by what they are about: [a key or several, words]. */
export function showKeys(actions) {
  const named = Object.entries(actions).map(([about, rows]) => [about, rows.map(([keys, words]) => [[keys].flat().map(shown), words])]);
  const lists = { Tools: toolTitles, ...Object.fromEntries(named) };
  for (const [about, rows] of Object.entries(BESIDES)) lists[about] = [...(lists[about] ?? []), ...rows];
  const parts = ORDER.map((about) => el("section", {}, el("h3", {}, about), ...lists[about].map(row)));
  return dialog("Keyboard and mouse", [el("div.shortcuts", {}, ...parts)], [{ label: "Close", primary: true }], { wide: true });
}
