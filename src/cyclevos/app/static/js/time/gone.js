// "It is gone here": an object is not in the frame, or in the range between the in and the out point.

import * as api from "../page/api.js";
import { attempt, toast } from "../page/messages.js";
import { emit, objectInfo, on, store } from "../page/store.js";
import { ask } from "./asking.js";
import { refused } from "./look.js";
import { isRange, range } from "./range.js";

/** Whether an object is said to be gone in a frame. */
const isGone = (object, index) =>
  store.project.absences.some((each) => each.object === object && each.first <= index && index <= each.last);

async function say(info, first, last, gone) {
  const { project } = store;
  const told = await attempt(() => api.call("PUT", `/projects/${project.id}/objects/${info.id}/gone`, { gone, first, last }));
  if (!told) return false;
  project.absences = told.absences;
  emit("absences");
  if (told.kept.length) toast(`${info.name} stays where it was painted or accepted: frame ${told.kept.join(", ")}.`);
  return true;
}

const place = (first, last) => (first === last ? `in frame ${first}` : `in frames ${first} to ${last}`);

/** Say that the chosen object is gone here; where it is gone already, that it is there again. */
export async function toggleGone() {
  if (refused()) return;
  const info = objectInfo(store.object);
  if (!info) {
    toast("Choose the object that is gone.");
    return;
  }
  const { frame, project } = store;
  const { first, last } = isRange() ? range() : { first: frame, last: frame };
  const gone = !isGone(info.id, frame);
  if (!(await say(info, first, last, gone))) return;
  const end = project.frames - 1;
  const onward = { label: "From here to the end", act: () => say(info, frame, end, gone) };
  const back = { label: "Take back", act: () => say(info, first, last, !gone) };
  const words = gone ? "is gone" : "is there again";
  ask(`${info.name} ${words} ${place(first, last)}.`, [...(last < end ? [onward] : []), back]);
}

let known = ""; // the absences that the loaded masks are shown with

on("project", () => (known = JSON.stringify(store.project?.absences)));
on("refreshed", () => {
  const now = JSON.stringify(store.project.absences);
  if (now === known) return;
  known = now;
  emit("reload"); // said here, in another tab, or taken back: the masks are others
});
