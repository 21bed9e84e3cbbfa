// Tracking: direction, settings, progress, and stopping it.

import * as api from "../page/api.js";
import { on, set, store } from "../page/store.js";
import { $, attempt, toast } from "../page/ui.js";

const jobs = new Map(); // of this project, that wait or work
const latest = new Map(); // id -> the order of the last that was heard of it: answers, news and states overtake each other

export async function track(direction) {
  const { project } = store;
  set({ follow: true, fixed: false, before: false, heat: null });
  const job = await attempt(() => api.call("POST", `/projects/${project.id}/track`, { direction }));
  if (job) hear(job);
  else set({ follow: false });
}

/** Stop what works now, or what waits if nothing does. */
export async function stop() {
  const job = current();
  if (job) await attempt(() => api.call("DELETE", `/jobs/${job.id}`));
}

const isActive = ({ status }) => status === "queued" || status === "running";
const current = () => [...jobs.values()].find(({ status }) => status === "running") ?? [...jobs.values()][0];
export const isTracking = () => [...jobs.values()].some(({ kind }) => kind === "track");

function hear(job) {
  if (job.order < latest.get(job.id)) return;
  latest.set(job.id, job.order);
  const known = jobs.has(job.id);
  if (isActive(job)) jobs.set(job.id, job);
  else jobs.delete(job.id);
  showJob();
  if (isActive(job) || !known) return;
  if (job.status === "failed") toast(api.Refusal.from(job.error));
  if (job.kind !== "track") return;
  set({ follow: false });
  if (job.status === "done") toast(job.result.frames ? `Tracked ${job.result.frames} frames.` : "Every frame is tracked already.");
  if (job.status === "cancelled") toast("Stopped. Track again to continue from here.");
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
  if (!job) return;
  const names = { track: "Track", heat: "Heat map", export: "Export" };
  const waits = job.status === "queued" ? "waiting for another job" : job.note;
  $("job-note").textContent = `${names[job.kind]}: ${waits || "starting"}`;
  const unit = job.kind === "heat" ? "" : " frames/s";
  const parts = [
    job.total ? `${job.done} of ${job.total}` : "",
    job.speed && job.total ? `${job.speed.toFixed(1)}${unit}` : "",
    timeLeft(job),
  ];
  $("job-figures").textContent = parts.filter(Boolean).join(" · ");
  $("job-bar").parentElement.classList.toggle("unknown", !job.total);
  $("job-bar").style.width = job.total ? `${(100 * job.done) / job.total}%` : "";
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
