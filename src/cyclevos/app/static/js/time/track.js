// Tracking: direction, settings, progress, and stopping it.

import * as api from "../page/api.js";
import { isActive } from "../page/jobs.js";
import { attempt, toast } from "../page/messages.js";
import { wholePercent } from "../page/quality.js";
import { emit, goTo, objectName, on, set, store } from "../page/store.js";
import { $, counted, pressed } from "../page/ui.js";
import { ask, dismiss } from "./asking.js";
import { leave } from "./look.js";
import { wanted } from "./plan.js";
import { openFixes, settleFixes } from "../painting/history.js";
import { strokesSaved } from "../painting/saving.js";

const jobs = new Map(); // of this project, that wait or work
const latest = new Map(); // id -> the order of the last that was heard of it: answers, news and states overtake each other

const QUIET = 8000; // milliseconds without news of a job after which the server is asked whether it is there
let follows = false; // the view goes with what is tracked
let heard = 0;
let unreachable = false;
let silent = false;
let begun = null; // what the last run was asked for

export async function track(direction, plan = wanted(direction)) {
  const { project } = store;
  const fixes = openFixes();
  const job = await attempt(async () => {
    await strokesSaved(); // what was painted last is tracked as well
    return api.call("POST", `/projects/${project.id}/track`, plan);
  });
  if (!job) return;
  begun = plan;
  dismiss();
  leave(); // what is tracked is to be seen
  settleFixes(fixes);
  set({ follow: follows, before: false, heat: null });
  hear(job);
}

/** Stop what works now, or what waits if nothing does. */
export async function stop() {
  const job = current();
  if (job) await attempt(() => api.call("DELETE", `/jobs/${job.id}`));
}

const current = () => [...jobs.values()].find(({ status }) => status === "running") ?? [...jobs.values()][0];
const works = (wanted) => [...jobs.values()].some(({ kind }) => kind === wanted);
export const isTracking = () => works("track");
export const isAdapting = () => works("adapt");

function hear(job) {
  if (job.order < latest.get(job.id)) return;
  latest.set(job.id, job.order);
  heard = performance.now();
  silent = false;
  const known = jobs.has(job.id);
  if (isActive(job)) jobs.set(job.id, job);
  else jobs.delete(job.id);
  showJob();
  if (isActive(job) || !known) return;
  if (job.status === "failed" && job.error.kind !== "ResultSizeError") toast(api.Refusal.from(job.error));
  if (job.kind !== "track") return;
  set({ follow: false });
  if (job.status === "done" && job.result.stopped) askAbout(job.result.stopped);
  else if (job.status === "done") emit("judged", [tracked(job.result.frames), job.result.passed]);
  if (job.status === "cancelled") toast("Stopped. Track again to continue from here.");
}

function tracked(frames) {
  if (frames) return `Tracked ${counted(frames, "frame")}.`;
  return begun?.doubtful ? "No frame is doubtful: nothing was tracked." : "Every frame is tracked already.";
}

/** Show where an object came in doubt, and ask whether to go on. */
function askAbout({ frame, object, reliability }) {
  goTo(frame);
  set({ object });
  const name = objectName(object);
  const plan = begun ?? wanted("forward");
  const again = { label: "Continue", act: () => track(plan.direction, { ...plan, continued: true }), primary: true };
  const words = `Tracking stopped: ${name} is doubtful from frame ${frame} on (${wholePercent(reliability)} %). Fix it, or continue.`;
  ask(words, [again, { label: "Fix it here" }], { lasts: true });
}

function timeLeft({ done, total, speed }) {
  if (!total || !speed) return "";
  const seconds = Math.round((total - done) / speed);
  return seconds < 60 ? `${seconds} s left` : `${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
}

function showJob() {
  const job = current();
  $("job").hidden = !job;
  for (const way of ["backward", "both", "forward"]) $(`track-${way}`).disabled = isTracking();
  pressed($("follow"), store.follow);
  if (!job) return;
  const gone = unreachable || silent;
  $("job").classList.toggle("silent", gone);
  $("follow").hidden = job.kind !== "track";
  $("job-cancel").disabled = gone;
  const names = { track: "Track", adapt: "Adapt", heat: "Heat map", export: "Export", import: "Import", review: "Reliability", edit: "Edit" };
  const waits = job.status === "queued" ? "waiting for another job" : job.note;
  $("job-note").textContent = `${names[job.kind]}: ${gone ? "the app does not answer" : waits || "starting"}`;
  const unit = { heat: "", adapt: " steps/s" }[job.kind] ?? " frames/s";
  const parts = gone ? [] : [
    job.total ? `${job.done} of ${job.total}` : "",
    timeLeft(job),
    job.speed && job.total ? `${job.speed.toFixed(1)}${unit}` : "",
  ];
  $("job-figures").textContent = parts.filter(Boolean).join(" · ");
  $("job-bar").parentElement.classList.toggle("unknown", !job.total);
  $("job-bar").style.width = job.total && !gone ? `${(100 * job.done) / job.total}%` : "";
}

/** Ask a server that has been quiet during a job whether it is there: one that hangs closes no connection. */
async function checkServer() {
  const job = current();
  if (!job || performance.now() - heard < QUIET) return;
  const late = new Promise((resolve) => setTimeout(resolve, QUIET / 2, "late"));
  const answer = await Promise.race([api.get(`/jobs/${job.id}`), late]).catch((error) => (error instanceof api.Unreachable ? "late" : null));
  if (answer === "late") silent = true;
  else if (answer) hear(answer);
  if (answer && answer !== "late" && !isActive(answer)) emit("reload"); // its news were lost
  showJob();
}

// An empty number field means auto: what suits the network.
const countIn = (field) => (field.value === "" ? "auto" : Number(field.value));

function showCount(field, count) {
  field.value = count === "auto" ? "" : count;
}

function showSettings() {
  const { settings } = store.project;
  const size = $("set-size");
  const known = [...size.options].some(({ value }) => value === String(settings.size));
  if (!known) size.add(new Option(settings.size));
  size.value = settings.size;
  $("set-correction").value = settings.correction;
  showCount($("set-every"), settings.memory_every);
  showCount($("set-memory"), settings.max_memory_frames);
}

async function saveSettings() {
  const { project } = store;
  const size = $("set-size").value;
  const settings = {
    size: /^\d+$/.test(size) ? Number(size) : size,
    correction: $("set-correction").value,
    memory_every: countIn($("set-every")),
    max_memory_frames: countIn($("set-memory")),
  };
  const saved = await attempt(() => api.call("PATCH", `/projects/${project.id}`, { settings }));
  if (saved) project.settings = saved.settings;
  showSettings();
}

for (const way of ["backward", "both", "forward"]) $(`track-${way}`).addEventListener("click", () => track(way));
for (const name of ["size", "correction", "every", "memory"]) $(`set-${name}`).addEventListener("change", saveSettings);
$("job-cancel").addEventListener("click", stop);
$("follow").addEventListener("click", () => {
  follows = !store.follow;
  set({ follow: follows });
});
setInterval(checkServer, QUIET / 4);
on("follow", () => pressed($("follow"), store.follow));
on("saved", (told) => {
  ({ unreachable } = told);
  if (store.project) showJob();
});
on("job", hear);
on("project", () => {
  jobs.clear();
  latest.clear();
});
on("project refreshed", () => {
  if (!store.project) return;
  const { order, jobs: told = [] } = store.project;
  for (const job of told) hear(job);
  for (const id of jobs.keys()) if (latest.get(id) < order) jobs.delete(id); // neither reported nor begun since: it is over
  showJob();
  if (!document.activeElement?.id.startsWith("set-")) showSettings();
});
