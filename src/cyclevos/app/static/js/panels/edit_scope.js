// Where an edit applies: one frame, the frames on either side of it, a range, or all; and whether in accepted frames too.

import { store } from "../page/store.js";
import { el } from "../page/ui.js";
import { isRange, range } from "../time/range.js";
import { last, options, row } from "./edit_choices.js";

const START = { surgery: "on", edges: "one", islands: "all" }; // by tab, where no range is set

/** The rows of a tab, whose controls become fields of the panel; changed is called when one of them is. */
export function scopeRows(fields, tab, changed) {
  const bounds = isRange() ? range() : { first: store.frame, last: last() };
  const entries = [
    ...(tab === "islands" ? [] : [["one", "this frame"]]), ["on", "from this frame on"], ["to", "up to this frame"],
    ["range", "a range"], ["all", "all frames"],
  ];
  const number = (value, label) => el("input", { type: "number", min: 0, max: last(), value, "aria-label": label, oninput: changed });
  fields.scope = el("select", { onchange: changed }, ...options(entries, isRange() ? "range" : START[tab]));
  fields.first = number(bounds.first, "First frame");
  fields.last = number(bounds.last, "Last frame");
  fields.rangeRow = el("div.edit-row", {}, el("span", {}, "Frames"), el("span.edit-range", {}, fields.first, "to", fields.last));
  fields.accepted = el("input", { type: "checkbox", onchange: changed });
  fields.acceptedWords = el("span", {});
  fields.acceptedRow = el("label.edit-check", {}, fields.accepted, fields.acceptedWords);
  return [row("Where", fields.scope), fields.rangeRow, fields.acceptedRow];
}

/** The first and the last frame that the fields say. */
export function scopeOf(fields) {
  const { frame } = store;
  const within = (field) => Math.max(0, Math.min(last(), Math.round(Number(field.value) || 0)));
  return {
    one: () => [frame, frame], on: () => [frame, last()], to: () => [0, frame], all: () => [0, last()],
    range: () => [within(fields.first), within(fields.last)],
  }[fields.scope.value]();
}
