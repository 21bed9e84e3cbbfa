// What T tracks: which frames, which object, and when it stops to ask. A popover says it, a line sums it up.

import { good } from "../page/quality.js";
import { emit, objectInfo, on, store } from "../page/store.js";
import { $, el } from "../page/ui.js";
import { clearRange, isRange, range } from "./range.js";

const usual = () => ({ only: false, frames: "all", stops: false, threshold: Math.round(100 * good()), patience: 3 });
let plan = null; // until a project is open

const name = () => objectInfo(store.object)?.name ?? "no object";

/** What the server is asked for when tracking starts now. */
export function wanted(direction) {
  const { first, last } = store.project.range;
  const asked = { direction, first, last };
  if (plan.frames === "here") Object.assign(asked, { first: store.frame, last: null });
  if (plan.frames === "doubtful") asked.doubtful = plan.threshold / 100;
  if (plan.only && objectInfo(store.object)) asked.object = store.object;
  if (plan.stops) Object.assign(asked, { until: plan.threshold / 100, patience: plan.patience });
  return asked;
}

function words() {
  const { first, last } = range();
  const said = [];
  if (plan.only) said.push(`only ${name()}`);
  if (plan.frames === "here") said.push("from here on");
  else if (isRange()) said.push(first === last ? `frame ${first}` : `frames ${first} to ${last}`);
  if (plan.frames === "doubtful") said.push(`where below ${plan.threshold}\u00a0%`);
  if (plan.stops) said.push(`stops below ${plan.threshold}\u00a0%`);
  return said.join(", ");
}

/** Say under the buttons what is not as usual, with a way back. */
function sumUp() {
  if (!store.project) return;
  const said = words();
  $("plan-says").hidden = !said;
  const all = () => {
    plan = usual();
    if (isRange()) clearRange();
    emit("plan");
  };
  const reset = el("button.button.small", { id: "plan-reset", type: "button", title: "Track all objects in all frames", onclick: all }, "All");
  $("plan-says").replaceChildren(el("span", {}, said && said[0].toUpperCase() + said.slice(1)), reset);
}

function change(values) {
  Object.assign(plan, values);
  emit("plan");
}

function choice(value, text) {
  const button = el("input", { type: "radio", name: "plan-frames", value, onchange: () => change({ frames: value }) });
  button.checked = plan.frames === value;
  return el("label", {}, button, text);
}

function box(id, key, text) {
  const field = el("input", { id, type: "checkbox", onchange: () => change({ [key]: field.checked }) });
  field.checked = plan[key];
  return el("label", {}, field, text);
}

function number(id, key, most, label) {
  const field = el("input", { id, type: "number", min: 1, max: most, "aria-label": label });
  field.value = plan[key];
  field.addEventListener("change", () => {
    const value = Math.round(Number(field.value));
    if (value >= 1 && value <= most) change({ [key]: value });
    field.value = plan[key];
  });
  return field;
}

function fill() {
  const all = isRange() ? `The range, frames ${range().first} to ${range().last}` : "All frames";
  $("plan").replaceChildren(
    el("fieldset", {}, el("legend", {}, "Frames"),
      choice("all", all), choice("here", `From here on, frame ${store.frame}`),
      choice("doubtful", "Only where masks are doubtful"),
      el("p.quiet", {}, "I and O set a range on the strip.")),
    el("fieldset", {}, el("legend", {}, "Objects"), box("plan-only", "only", `Only the chosen object, ${name()}`),
      el("p.quiet", {}, "The others keep every pixel they have.")),
    el("fieldset", {}, el("legend", {}, "Doubt"),
      box("plan-stops", "stops", "Stop and ask when masks are doubtful"),
      el("div.numbers", {}, "Below", number("plan-threshold", "threshold", 100, "Doubtful below, percent"), "%, for",
        number("plan-patience", "patience", 1000, "Frames in a row"), "frames in a row")),
  );
}

$("plan").addEventListener("beforetoggle", ({ newState }) => newState === "open" && fill());
on("frame object range", () => {
  const open = $("plan").matches(":popover-open");
  if (open && !$("plan").contains(document.activeElement)) fill();
});
on("project", () => (plan = usual()));
on("plan range object objects project refreshed", sumUp);
