// The list of objects: colour, name, hide, lock, delete; and the frame's mask from a file, or forgotten.

import * as api from "../page/api.js";
import * as masks from "../painting/masks.js";
import { attempt, toast } from "../page/messages.js";
import { emit, objectInfo, on, set, store } from "../page/store.js";
import { $, dialog, el, icon } from "../page/ui.js";
import { tellWithUndo } from "./undo_offer.js";

const FEW = 9; // objects that a digit chooses and a list without a search shows
const PAUSE = 500; // milliseconds within which a second digit belongs to the first
let typed = { digit: 0, at: -Infinity };
let shownObject = 0; // the chosen one when the list was shown last

const path = (id) => `/projects/${store.project.id}/objects${id === undefined ? "" : `/${id}`}`;

/** What a digit chooses: an object by its place in the list, with the digit before it if that was typed just now. */
export function numberKey({ key, ctrlKey, metaKey, timeStamp }) {
  if (!/^[0-9]$/.test(key) || ctrlKey || metaKey) return null;
  const { objects } = store.project;
  const digit = Number(key);
  const two = timeStamp - typed.at < PAUSE ? objects[10 * typed.digit + digit - 1] : undefined;
  typed = two ? { digit: 0, at: -Infinity } : { digit, at: timeStamp };
  const info = two ?? objects[digit - 1];
  return info ? () => set({ object: info.id }) : null;
}

/** Add an object and choose it. */
export async function addObject() {
  const info = await attempt(() => api.call("POST", path(), {}));
  if (!info) return;
  const { objects } = store.project;
  if (!objectInfo(info.id)) objects.push(info);
  objects.sort((a, b) => a.id - b.id);
  set({ object: info.id });
  emit("objects");
}

async function change(id, values) {
  const info = await attempt(() => api.call("PATCH", path(id), values));
  if (!info) return;
  Object.assign(objectInfo(id) ?? {}, info);
  emit("objects");
}

async function remove(info) {
  const question = el("p", {}, "The object is removed from every frame, including those you painted. Undo brings it back.");
  const actions = [{ label: "Keep it", value: false }, { label: "Delete", value: true, danger: true }];
  if (!(await dialog(`Delete ${info.name}?`, [question], actions))) return;
  const gone = await attempt(() => api.call("DELETE", path(info.id)));
  if (gone === undefined) return;
  emit("reload");
  tellWithUndo(`Deleted ${info.name} from every frame.`);
}

function rename(info, button) {
  const field = el("input.rename", { type: "text", maxlength: 80, "aria-label": `Name of ${info.name}` });
  field.value = info.name;
  let kept = true;
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") kept = false;
    if (event.key === "Escape" || event.key === "Enter") field.blur();
  });
  field.addEventListener("blur", () => {
    const name = field.value.trim();
    if (kept && name && name !== info.name) change(info.id, { name });
    else emit("objects");
  });
  button.replaceWith(field);
  field.select();
}

function row(info, number) {
  const { id, name, hidden, locked } = info;
  const mini = (picture, label, on, act) => el("button.icon-button.mini" + (on ? ".on" : ""), {
    type: "button", "aria-label": `${label} ${name}`, title: label, onclick: act }, icon(picture));
  const colour = el("input", {
    type: "color", value: store.project.palette[id], "aria-label": `Colour of ${name}`, disabled: store.safeColours,
    title: store.safeColours ? "The preferences show colours for the colour-blind; switch them off to choose one" : "Colour",
  });
  colour.addEventListener("change", async () => {
    await change(id, { colour: colour.value });
    emit("reload");
  });
  const pick = el("button.pick", {
    type: "button", "aria-pressed": String(store.object === id),
    title: `${name}: paint this object (${number}); double-click to rename`,
    onclick: () => set({ object: id }),
  }, ...(store.project.objects.length > FEW ? [el("small.quiet", { "aria-hidden": "true" }, String(number))] : []), el("span", {}, name));
  pick.addEventListener("dblclick", () => rename(info, pick));
  pick.addEventListener("keydown", (event) => event.key === "F2" && rename(info, pick));
  return el(store.object === id ? "li.active" : "li", {},
    colour, pick,
    mini(hidden ? "hidden" : "eye", hidden ? "Show" : "Hide", hidden, () => change(id, { hidden: !hidden })),
    mini(locked ? "lock" : "unlocked", locked ? "Unlock" : "Lock", locked, () => change(id, { locked: !locked })),
    mini("delete", "Delete", false, () => remove(info)));
}

function showList() {
  if (!store.project || $("objects").querySelector(".rename:focus")) return;
  const { objects } = store.project;
  const list = $("objects");
  $("object-search").hidden = objects.length <= FEW;
  if (!objects.length) {
    list.replaceChildren(el("li.empty-note", {}, "None yet. Point at one in the frame."));
    return;
  }
  if (!objectInfo(store.object)) set({ object: objects[0].id });
  const focus = [...list.querySelectorAll("button, input")].indexOf(document.activeElement);
  const { scrollTop } = list;
  const wanted = objects.length > FEW ? $("object-search").value.trim().toLowerCase() : "";
  const rows = objects.map((info, k) => (info.name.toLowerCase().includes(wanted) ? row(info, k + 1) : null)).filter(Boolean);
  list.replaceChildren(...(rows.length ? rows : [el("li.empty-note", {}, "No object has such a name.")]));
  if (focus >= 0) list.querySelectorAll("button, input")[focus]?.focus();
  list.scrollTop = scrollTop;
  if (shownObject !== store.object) list.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  shownObject = store.object;
}

/** Enter in the search chooses the first object found; Escape shows all again. */
function searchKey({ key }) {
  if (key === "Enter") $("objects").querySelector(".pick")?.click();
  if (key !== "Enter" && key !== "Escape") return;
  $("object-search").value = "";
  $("canvas").focus();
  showList();
}

async function importFile(file) {
  const { frame } = store;
  try {
    tell(frame, await masks.importFile(frame, file, false));
  } catch (error) {
    if (error.kind !== "MaskSizeError") {
      toast(error);
      return;
    }
    const actions = [{ label: "Cancel", value: false }, { label: "Resize it", value: true, primary: true }];
    const words = [el("p", {}, error.message), el("p.quiet", {}, "Resizing gives each pixel the object of the nearest pixel.")];
    if (!(await dialog("The mask has another size", words, actions))) return;
    await attempt(async () => tell(frame, await masks.importFile(frame, file, true)));
  }
}

const tell = (frame, notes) => tellWithUndo([`Imported the mask of frame ${frame}.`, ...notes].join(" "));

$("object-search").addEventListener("input", showList);
$("object-search").addEventListener("keydown", searchKey);
$("add-object").addEventListener("click", addObject);
$("import").addEventListener("change", ({ target }) => {
  if (target.files.length) importFile(target.files[0]);
  target.value = "";
});
$("forget").addEventListener("click", () => attempt(async () => {
  const { frame } = store;
  if (!store.project.marks[frame]) {
    toast("Nothing was painted in this frame.");
    return;
  }
  await masks.forget(frame);
  emit("conflict", frame);
  tellWithUndo(`Cleared frame ${frame}.`);
}));
on("objects object project", showList);
