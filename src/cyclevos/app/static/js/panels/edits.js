// The panel of edits: objects over time, finished edges, pieces that come up. What an edit does is shown before it is applied.

import * as api from "../page/api.js";
import { SURGERY, WAYS, acceptedFrames, freeNumbers, last, names, options, row } from "./edit_choices.js";
import { run, told } from "./edit_jobs.js";
import { drawDifference, showDifference } from "./edit_preview.js";
import { scopeOf, scopeRows } from "./edit_scope.js";
import { attempt, toast } from "../page/messages.js";
import { goTo, objectInfo, on, set, statusOf, store, whyUnreadable } from "../page/store.js";
import { Islands } from "./islands_tab.js";
import { pickPieces } from "./piece_click.js";
import { tellWithUndo } from "./undo_offer.js";
import { $, counted, el, explained } from "../page/ui.js";
import * as history from "../painting/history.js";
import { load, untilSaved } from "../painting/masks.js";
import { refused } from "../time/look.js";
import * as view from "../canvas/view.js";

const DELAY = 120; // milliseconds after the last change before a preview is asked for
const panel = $("edits");
const fields = {}; // the controls of the tab that is shown, by name
let pointed = null; // {frame, x, y} of the piece that is to be split off
let listed = ""; // the objects that the panel offers
let waiting = 0;
let asked = 0; // counts previews: only the last one is shown

/** Go to the tab of an edit, or back to the review list if it is shown. */
export function toggleEdits(name) {
  if (store.tab === name) closeEdits();
  else set({ tab: name });
}

/** Go back to the review list; false where it is shown. */
export function closeEdits() {
  if (store.tab === "review") return false;
  set({ tab: "review" });
  view.canvas.focus({ preventScroll: true });
  return true;
}

/** Whether there is an edit to speak of: its tab is shown, and there are objects. */
const isOpen = () => Boolean(fields.scope);

/** Begin the edit of the tab that was chosen, or give up the one before. */
function open() {
  if (store.tab !== "review" && refused()) {
    set({ tab: "review" });
    return;
  }
  pointed = null;
  clear();
  build();
  if (store.tab !== "review") panel.focus({ preventScroll: true }); // keys are shortcuts still, and Tab goes to the first control
}

function clear() {
  asked += 1;
  showDifference(null);
}

function select(name, entries, chosen, act = changed) {
  fields[name] = el("select", { onchange: act }, ...options(entries, chosen));
  return fields[name];
}

function build() {
  listed = names().join();
  for (const name of Object.keys(fields)) delete fields[name];
  if (store.tab === "review") return;
  if (!listed) {
    panel.replaceChildren(el("p.empty-note", {}, "There is no object yet. Point at one or paint it first."));
    return;
  }
  const body = { surgery: surgeryTab, edges: edgesTab, islands: islandsTab }[store.tab]();
  panel.replaceChildren(...body, ...scopeRows(fields, store.tab, changed), foot());
  changed();
}

function surgeryTab() {
  fields.target = el("select", { onchange: changed });
  fields.targetRow = row("Object 2", fields.target);
  fields.pick = el("p.quiet", {}, "");
  return [
    row("Object", select("object", names(), String(store.object))),
    row("Do", select("op", SURGERY, names().length > 1 ? "swap" : "split")),
    fields.targetRow,
    fields.pick,
  ];
}

function edgesTab() {
  const all = [["all", "all editable"], ...names()];
  fields.amount = el("input", { type: "range", oninput: changed, "aria-label": "Pixels" });
  fields.output = el("output", {});
  fields.amountRow = el("div.edit-row", {}, fields.output, fields.amount);
  const rows = [
    row("Object", select("object", all, String(store.object || "all"))),
    row("Do", select("how", WAYS, "grow", () => {
      setSlider();
      changed();
    })),
    fields.amountRow,
  ];
  setSlider();
  return rows;
}

function setSlider() {
  const [, , unit, least, start, most] = WAYS.find(([way]) => way === fields.how.value);
  Object.assign(fields.amount, { min: least, max: most, value: start });
  fields.amountRow.hidden = unit === null;
}

function islandsTab() {
  const all = [["all", "all editable"], ...names()];
  return [row("Object", select("object", all, "all")), ...Islands.rows()];
}

function foot() {
  fields.words = el("p.quiet", { role: "status" });
  fields.apply = el("button.button.small.primary", { type: "button", onclick: apply }, store.tab === "islands" ? "Remove" : "Apply");
  const cancel = el("button.button.small", { type: "button", onclick: closeEdits }, "Cancel");
  fields.count = el("button.button.small", { type: "button", title: "Say how many frames and pixels would change", onclick: tellCount }, "Count");
  return el("div.edit-foot", {}, fields.words, el("div.edit-actions", {}, fields.count, cancel, fields.apply));
}

/** The edit as a request says it; null while something is missing. */
function edit() {
  const [first, until] = scopeOf(fields);
  const object = fields.object.value === "all" ? null : Number(fields.object.value);
  const common = { object, first, last: until, accepted: fields.accepted.checked };
  if (store.tab === "edges") return { op: "finish", how: fields.how.value, amount: Number(fields.amount.value), ...common };
  if (store.tab === "islands") return { op: "islands", ...common };
  const op = fields.op.value;
  const target = op === "delete" || fields.target.value === "new" ? null : Number(fields.target.value);
  if (op === "split") return pointed ? { op, target, ...common, ...pointed } : null;
  return op !== "delete" && op !== "move" && !target ? null : { op, target, ...common };
}

/** Show what belongs to the choices made, then what they would do. */
function changed(event) {
  if (!isOpen()) return;
  if (store.tab === "surgery") showTargets(event);
  if (store.tab === "edges") {
    const [, , unit] = WAYS.find(([way]) => way === fields.how.value);
    fields.output.textContent = `${unit ?? ""} ${Number(fields.amount.value).toLocaleString("en")} px`;
  }
  fields.rangeRow.hidden = fields.scope.value !== "range";
  const [first, until] = scopeOf(fields);
  const accepted = acceptedFrames(first, until);
  fields.acceptedRow.hidden = !accepted;
  fields.acceptedWords.textContent = `Also change ${counted(accepted, "accepted frame")}`;
  fields.count.hidden = first === until;
  fields.apply.disabled = !edit();
  fields.words.textContent = "";
  clearTimeout(waiting);
  waiting = setTimeout(look, DELAY);
}

function showTargets(event) {
  const op = fields.op.value;
  if (event?.target === fields.op || event?.target === fields.object) pointed = null;
  const others = names().filter(([id]) => id !== fields.object.value);
  const fresh = op === "split" || op === "move" ? [["new", "a new object"]] : [];
  const known = op === "move" ? freeNumbers() : others;
  const held = event?.target === fields.op ? null : fields.target.value;
  const entries = [...fresh, ...known];
  fields.target.replaceChildren(...options(entries, entries.some(([id]) => id === held) ? held : entries[0]?.[0]));
  fields.targetRow.hidden = op === "delete";
  const words = op === "move" ? "Number" : op === "swap" ? "With" : "Into";
  fields.targetRow.firstChild.textContent = words;
  fields.target.setAttribute("aria-label", words);
  const alone = op !== "delete" && !entries.length;
  fields.pick.hidden = op !== "split" && !alone;
  fields.pick.textContent = alone ? "There is no second object."
    : pointed ? `The piece in frame ${pointed.frame} is chosen. Over a range it is followed by its overlap from frame to frame.`
    : whyUnreadable(store.frame) ? "Go to a frame that can be read, and click the piece there."
    : "Click the piece on the picture.";
}

/** Show in the frame on screen what an edit would change there. */
async function look() {
  const wish = !isOpen() || store.tab === "islands" ? null : edit();
  const mine = (asked += 1);
  if (isOpen() && store.tab === "islands") Islands.show();
  const outside = wish && (store.frame < wish.first || store.frame > wish.last);
  const stays = wish && !outside && !wish.accepted && statusOf(store.frame) === "accepted";
  if (outside) fields.words.textContent = "This frame is not in the range.";
  if (stays) fields.words.textContent = "This frame is accepted and stays as it is.";
  if (!wish || outside || stays || store.playing || view.shown?.frame !== store.frame || (wish.op === "split" && wish.frame !== store.frame)) {
    showDifference(null);
    return;
  }
  const { project, frame } = store;
  try {
    await untilSaved();
    const after = await api.previewEdit(project.id, frame, wish);
    const { ids: before } = await load(frame);
    if (mine !== asked || view.shown?.frame !== frame) return;
    const pixels = showDifference({ before, after });
    fields.words.textContent = pixels ? `${pixels.toLocaleString("en")} px of this frame change.` : "Nothing changes in this frame.";
  } catch (error) {
    if (mine !== asked) return;
    showDifference(null);
    fields.words.replaceChildren(...explained(error));
  }
}

async function apply() {
  const wish = edit();
  if (!wish) return;
  const { project, frame } = store;
  const one = wish.first === wish.last && wish.first === frame && store.tab !== "islands";
  fields.apply.disabled = true;
  const result = await attempt(async () => {
    await untilSaved();
    return one ? api.call("POST", `/projects/${project.id}/frames/${frame}/edit`, wish) : run(`/projects/${project.id}/edits`, wish);
  });
  if (isOpen()) fields.apply.disabled = false;
  if (!result) return;
  if (result.frames) tellWithUndo(told(result, "Changed"));
  else toast(told(result, "Changed"));
  pointed = null;
  clear();
  if (one && result.pixels) history.noteFix(result.history);
  setTimeout(changed, DELAY);
}

async function tellCount() {
  const wish = edit();
  if (!wish) return;
  const result = await attempt(async () => {
    await untilSaved();
    return run(`/projects/${store.project.id}/edits?dry=true`, wish);
  });
  if (!result || !isOpen()) return;
  fields.words.replaceChildren(told(result, "This would change"));
  if (result.changed.length) {
    const [first] = result.changed;
    fields.words.append(" ", el("button.button.small", { type: "button", onclick: () => goTo(first) }, `Go to frame ${first}`));
  }
}

/** Build the panel again with the choices made: the list of objects is another one. */
function rebuild() {
  const kept = ["op", "how", "object", "target", "amount", "scope"].map((name) => [name, fields[name]?.value]);
  build();
  for (const [name, value] of kept) {
    const field = fields[name];
    if (!field || (field.options && ![...field.options].some((each) => each.value === value))) continue;
    field.value = value;
    if (name === "how") setSlider();
    if (name === "op" || name === "object") changed();
  }
  changed();
}

pickPieces(() => fields.op?.value === "split", (piece, id) => {
  fields.object.value = String(id);
  pointed = piece;
  changed();
});
panel.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  closeEdits();
});

view.decorate(drawDifference);

on("frame playing", () => {
  clear();
  changed();
});
on("frames mask", (index) => {
  if (!isOpen()) return;
  if (index === store.frame) changed();
  else if (store.tab === "islands") Islands.soon();
});
on("objects", () => store.tab !== "review" && names().join() !== listed && rebuild());
on("object", () => {
  if (!isOpen() || pointed || !objectInfo(store.object) || fields.object.value === "all") return;
  fields.object.value = String(store.object);
  changed();
});
on("tab", open);
on("look", closeEdits);
