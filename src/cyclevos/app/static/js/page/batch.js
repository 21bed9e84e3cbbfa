// Projects that are tracked one after another by the server: how far each is, and stopping one or all.

import * as api from "./api.js";
import { isActive } from "./jobs.js";
import { attempt } from "./messages.js";
import { chosenProjects, showProjects, unchoose } from "./projects.js";
import { $, counted, el, explained, prose, setItems } from "./ui.js";

const OFTEN = 1000; // milliseconds between two looks while something is tracked
const SELDOM = 5000; // otherwise: another page may start something
const rows = new Map(); // project: the parts of its row, which stay, so that a button keeps the focus
let timer = 0;
let wasActive = false;

/** Show the list, and go on looking. */
export async function showBatch() {
  clearTimeout(timer);
  let entries = null;
  try {
    entries = await api.get("/batch");
  } catch (error) {
    if (!$("batch").hidden) $("batch-says").replaceChildren(...explained(error));
  }
  if (entries) show(entries);
  if (!$("welcome").hidden) timer = setTimeout(showBatch, wasActive ? OFTEN : SELDOM);
}

function show(entries) {
  const active = entries.some(isActive);
  $("batch").hidden = !entries.length;
  const says = summary(entries, active);
  if ($("batch-says").textContent !== says) $("batch-says").textContent = says;
  $("batch-stop").textContent = active ? "Stop all" : "Dismiss";
  const ids = entries.map(({ project }) => project);
  for (const id of [...rows.keys()]) if (!ids.includes(id)) rows.delete(id);
  setItems($("batch-list"), entries.map((entry) => update(entry).item));
  if (wasActive && !active) showProjects();
  wasActive = active;
}

function summary(entries, active) {
  const count = (status) => entries.filter((each) => each.status === status).length;
  const parts = [`${count("done")} of ${entries.length} done`];
  if (count("failed")) parts.push(`${count("failed")} failed`);
  if (count("cancelled")) parts.push(`${count("cancelled")} stopped`);
  return parts.join(", ") + (active ? ". You may close this page." : ".");
}

function update(entry) {
  const { project, name, status, done, total } = entry;
  if (!rows.has(project)) rows.set(project, rowOf(project));
  const row = rows.get(project);
  const words = wordsOf(entry);
  if (row.said !== words) row.words.replaceChildren(...prose(words));
  row.said = words;
  row.words.className = status === "failed" ? "problem" : "quiet";
  row.name.textContent = name;
  row.stop.setAttribute("aria-label", `Stop ${name}`);
  row.stop.hidden = !isActive(entry) || entry.stopping;
  const part = status === "done" ? 100 : total ? Math.round((100 * done) / total) : 0;
  row.bar.hidden = !["running", "done"].includes(status);
  row.bar.setAttribute("aria-valuenow", part);
  row.bar.setAttribute("aria-label", `Tracking of ${name}`);
  row.bar.firstElementChild.style.width = `${part}%`;
  return row;
}

function wordsOf({ status, stopping, done, total, note, speed, error, result }) {
  if (stopping) return "stopping";
  if (status === "queued") return "waiting";
  if (status === "cancelled") return done ? `stopped after ${counted(done, "frame")}, which are kept` : "stopped";
  if (status === "failed") return `${error.problem} ${error.remedy}`;
  if (status === "done") return `done, ${counted(result?.frames ?? 0, "frame")}`;
  if (!total) return note || "getting ready";
  return `${done} of ${counted(total, "frame")}${speed ? `, ${speed.toPrecision(2)} frames/s` : ""}`;
}

function rowOf(project) {
  const name = el("a", { href: `/?project=${project}` });
  const words = el("span.quiet");
  const bar = el("div.progress", { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, el("div"));
  const stop = el("button.button.small", { type: "button", onclick: () => act("DELETE", `/batch/${project}`) }, "Stop");
  return { item: el("li", {}, el("div.grow", {}, name, words, bar), stop), name, words, bar, stop };
}

/** Ask for a change of the list, and show the list that follows. */
async function act(method, path, body) {
  const entries = await attempt(() => api.call(method, path, body));
  await showBatch();
  return entries;
}

$("batch-start").addEventListener("click", async () => {
  const started = await act("POST", "/batch", { projects: chosenProjects(), direction: $("batch-direction").value });
  if (!started) return;
  unchoose();
  $("batch").scrollIntoView({ block: "nearest" });
});
$("batch-stop").addEventListener("click", () => act("DELETE", "/batch"));
addEventListener("visibilitychange", () => document.visibilityState === "visible" && !$("welcome").hidden && showBatch());
