// The review list, the mask before its correction, and the heat map of what the network relies on.

import * as api from "../page/api.js";
import { attempt, toast } from "../page/messages.js";
import { good, qualityColour, wholePercent } from "../page/quality.js";
import { emit, goTo, objectInfo, objectName, on, set, store, whyUnreadable } from "../page/store.js";
import { refused } from "./look.js";
import { isTracking } from "./track.js";
import { $, counted, el, pressed } from "../page/ui.js";

/**
 * The frames left to review: those that a person marked or accepted are not. While a version is looked at, the frames that
 * differ most from now.
 */
export function waiting() {
  const { look: version, project } = store;
  if (version) return version.list;
  return project.review.filter(({ frame }) => !project.marks[frame]).map((entry) => ({ ...entry, value: entry.reliability }));
}

const PAUSE = 300; // milliseconds after a step until the list is fetched again
const STEADY = 1000; // milliseconds after news of a frame, which tracking sends many times a second
let renewal = { timer: 0, due: Infinity };
let states = 0; // lists that the page has got, each newer than those asked for before it
let trail = []; // frames of the list that were looked at, in that order
let place = -1; // in the trail

/** Go to the least reliable frame that was not looked at yet, starting over when all were. */
export function nextReview() {
  withdraw();
  const list = waiting();
  if (!list.length) {
    toast(store.look ? "No frame differs from now."
      : store.project.trackedSet.size ? "No frame is left to review." : "Track first. Unreliable frames are listed then.");
    return;
  }
  const ahead = trail.slice(place + 1).map((frame) => list.find((entry) => entry.frame === frame)).find(Boolean);
  const unseen = list.find(({ frame }) => !trail.includes(frame));
  if (!ahead && !unseen) [trail, place] = [[], -1];
  const next = ahead ?? unseen ?? list[0];
  if (list.length === 1 && next.frame === store.frame) toast("This is the only frame of the list.");
  look(next);
}

/** Go back to the frame of the list that was looked at before. */
export function previousReview() {
  const list = waiting();
  const before = trail.slice(0, Math.max(0, place)).reverse();
  const entry = before.map((frame) => list.find((each) => each.frame === frame)).find(Boolean);
  if (entry) look(entry);
  else toast("There is no earlier frame of the list.");
}

let ended = null; // what a run that has just ended did, in sentences
let withdraw = () => {}; // takes back the offer to go to the worst frame

/** How many frames are in doubt that no person marked. */
function doubtfulCount() {
  const { marks, results, trackedSet } = store.project;
  const isDoubtful = ([index, [reliability]]) =>
    trackedSet.has(Number(index)) && !marks[index] && !whyUnreadable(index) && Math.min(...Object.values(reliability)) < good();
  return Object.entries(results).filter(isDoubtful).length;
}

/** What a person may wonder about the list: why it has a good frame, or fewer than are in doubt. */
function remark(list) {
  if (store.look) return "";
  const count = doubtfulCount();
  if (!count) return list.length === 1 && list[0].value >= good() ? `No frame is below ${100 * good()} %. This is the least reliable one.` : "";
  const more = count - list.filter(({ value }) => value < good()).length;
  if (more <= 0) return "";
  return `${counted(more, "more frame")} ${more > 1 ? "are" : "is"} doubtful: next to these, or less so.`;
}

/** Tell what a run did, and how many frames are in doubt now: what is known of them is here by then. */
function tellDoubt() {
  if (!ended) return;
  const said = ended.filter(Boolean);
  ended = null;
  const count = doubtfulCount();
  const words = `${count ? counted(count, "frame") : "No frame"} ${count > 1 ? "are" : "is"} doubtful (below ${100 * good()} %).`;
  if (count || waiting().length) said.push(words);
  const leads = count && !store.look; // where a version is looked at, N goes to the frames that differ
  withdraw = toast(said.join(" "), leads ? { label: "Go to the worst (N)", act: nextReview } : null);
}

function look({ frame, object }) {
  if (!trail.includes(frame)) trail.push(frame);
  place = trail.indexOf(frame);
  goTo(frame);
  set({ object });
}

function showList() {
  if (!store.project) return;
  const list = waiting();
  $("next-review").disabled = !list.length;
  $("tab-review").textContent = store.look ? "Differs most" : "Review list";
  $("review-masks").hidden = Boolean(store.look);
  if (!list.length) {
    $("review").replaceChildren(el("li.empty-note", {}, emptyWords()));
    return;
  }
  $("review").replaceChildren(...list.map((entry) => {
    const stripe = el("i");
    stripe.style.background = qualityColour(entry.value);
    const name = objectName(entry.object);
    const percent = `${wholePercent(entry.value)} %`;
    const meaning = store.look ? "Overlap of then and now (J)" : `Reliability (${entry.calibrated ? "predicted J" : "predicted J, uncalibrated"})`;
    return el("li", {}, el("button", {
      type: "button", title: `${meaning}: ${percent}`, onclick: () => look(entry),
      "aria-current": entry.frame === store.frame ? "true" : null,
    }, stripe, el("strong", {}, String(entry.frame)), el("span", {}, name), el("span.value", {}, store.look ? `overlap ${percent}` : percent)));
  }));
  const words = remark(list);
  if (words) $("review").append(el("li.empty-note", {}, words));
}

/** Have the entry of the frame on screen in view, without moving the side as a whole. */
function scrollToCurrent() {
  const list = $("review");
  const [box, entry] = [list, list.querySelector("[aria-current]")].map((each) => each?.getBoundingClientRect());
  if (!entry) return;
  list.scrollTop += Math.max(0, entry.bottom - box.bottom) - Math.max(0, box.top - entry.top);
}

function emptyWords() {
  if (store.look) return store.look.whole ? "No frame differs from now." : "The frames that differ most from now are listed here.";
  const done = store.project.trackedSet.size > 0 && !isTracking();
  return done ? "No frame is left to review." : "After tracking, unreliable frames are listed here, least reliable first.";
}

/** Fetch the list again in a moment: marks, edits, undoing, tracking and reviews change what it names. */
function renewIn(pause) {
  const due = performance.now() + pause;
  if (renewal.due <= due) return;
  clearTimeout(renewal.timer);
  renewal = { timer: setTimeout(renew, pause), due };
}

async function renew() {
  renewal = { timer: 0, due: Infinity };
  const { project } = store;
  if (!project) return;
  const asked = (states += 1);
  const list = await api.get(`/projects/${project.id}/review`).catch(() => null); // a server that is back tells everything
  if (!list || store.project !== project || asked !== states) return;
  project.review = list;
  emit("review");
}

/** Show the frame's mask before its correction, or the current one. */
function toggleBefore() {
  if (refused()) return;
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
  if (refused()) return;
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
  $("before").hidden = store.look || !project.correctedSet.has(frame);
  pressed($("before"), before);
  pressed($("heat"), heat);
  const badge = $("badge");
  badge.hidden = !before && !heat;
  if (before) badge.textContent = "Before correction";
  if (heat) {
    const name = objectName(heat.object);
    badge.textContent = `What the network relies on for ${name}, asked from frame ${heat.reference}`;
  }
}

$("next-review").addEventListener("click", nextReview);
$("before").addEventListener("click", toggleBefore);
$("heat").addEventListener("click", toggleHeat);
on("step", () => renewIn(PAUSE));
on("job", showHeat);
on("job", ({ kind, status }) => {
  if (kind === "track" && status === "done") [trail, place] = [[], -1]; // the list is another one
});
on("project look", () => ([trail, place] = [[], -1]));
on("judged", (said) => (ended = said));
on("refreshed", () => {
  states += 1; // with a list of its own
  tellDoubt();
});
on("frame before heat look project refreshed", showState);
on("project review frame objects look compared", showList);
on("frame", scrollToCurrent);
on("frames", (index) => {
  if (index === store.frame) showState();
  if (store.project.review.some(({ frame }) => frame === index)) emit("review");
  renewIn(STEADY);
});
