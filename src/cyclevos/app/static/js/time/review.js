// The review list, the mask before its correction, and the heat map of what the network relies on.

import * as api from "../page/api.js";
import { emit, goTo, objectInfo, on, set, store } from "../page/store.js";
import { isTracking } from "./track.js";
import { $, attempt, el, pressed, qualityColour, toast } from "../page/ui.js";

/** The frames left to review: those that a person marked or accepted are not. */
const waiting = () => store.project.review.filter(({ frame }) => !store.project.marks[frame]);

/** Go to the next frame of the review list, least reliable first, starting over at its end. */
export function nextReview() {
  const list = waiting();
  if (!list.length) {
    toast(store.project.trackedSet.size ? "No frame is left to review." : "Track first. Unreliable frames are listed then.");
    return;
  }
  const at = list.findIndex(({ frame }) => frame === store.frame);
  look(list[(at + 1) % list.length]);
}

function look({ frame, object }) {
  goTo(frame);
  set({ object });
}

function showList() {
  if (!store.project) return;
  const list = waiting();
  $("next-review").disabled = !list.length;
  if (!list.length) {
    const done = store.project.trackedSet.size > 0 && !isTracking();
    const words = done
      ? "No frame is left to review."
      : "After tracking, unreliable frames are listed here, least reliable first.";
    $("review").replaceChildren(el("li.empty-note", {}, words));
    return;
  }
  $("review").replaceChildren(...list.map((entry) => {
    const stripe = el("i");
    stripe.style.background = qualityColour(entry.reliability);
    const name = objectInfo(entry.object)?.name ?? `object ${entry.object}`;
    const percent = `${Math.round(100 * entry.reliability)} %`;
    const prediction = entry.calibrated ? "predicted J" : "predicted J, uncalibrated";
    return el("li", {}, el("button", {
      type: "button", title: `Reliability (${prediction}): ${percent}`, onclick: () => look(entry),
      "aria-current": entry.frame === store.frame ? "true" : null,
    }, stripe, el("strong", {}, String(entry.frame)), el("span", {}, name), el("span.value", {}, percent)));
  }));
}

/** Show the frame's mask before its correction, or the current one. */
export function toggleBefore() {
  if (!store.project.correctedSet.has(store.frame)) {
    toast("This frame's mask was not changed by a correction.");
    return;
  }
  set({ before: !store.before, heat: null });
}

let wantedHeat = null;

/** Show the heat map of the chosen object in this frame, or hide it. */
export async function toggleHeat() {
  if (store.heat) {
    set({ heat: null });
    return;
  }
  if (!objectInfo(store.object)) {
    toast("Choose an object first. The heat map shows what the network relies on for it.");
    return;
  }
  const { frame, object, project } = store;
  const job = await attempt(() => api.call("POST", `/projects/${project.id}/heat`, { frame, object }));
  if (job) wantedHeat = job.id;
}

async function showHeat(job) {
  if (job.kind !== "heat" || job.id !== wantedHeat || job.status !== "done") return;
  wantedHeat = null;
  const { frame, object, reference } = job.result;
  const bitmap = await attempt(() => api.fetchBitmap(`/projects/${store.project.id}/heat/${frame}/${object}`));
  if (!bitmap) return;
  if (store.frame !== frame) goTo(frame);
  set({ heat: { frame, object, reference, bitmap } });
}

function showState() {
  const { project, frame, before, heat } = store;
  if (!project) return;
  $("before").hidden = !project.correctedSet.has(frame);
  pressed($("before"), before);
  pressed($("heat"), heat);
  const badge = $("badge");
  badge.hidden = !before && !heat;
  if (before) badge.textContent = "Before correction";
  if (heat) {
    const name = objectInfo(heat.object)?.name ?? `object ${heat.object}`;
    badge.textContent = `What the network relies on for ${name}, asked from frame ${heat.reference}`;
  }
}

$("next-review").addEventListener("click", nextReview);
$("before").addEventListener("click", toggleBefore);
$("heat").addEventListener("click", toggleHeat);
on("job", showHeat);
on("frame before heat project refreshed", showState);
on("project review frame objects", showList);
on("frames", (index) => {
  if (index === store.frame) showState();
  if (store.project.review.some(({ frame }) => frame === index)) emit("review");
});
