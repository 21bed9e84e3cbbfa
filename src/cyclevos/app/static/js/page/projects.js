// The list of projects: search, order, and what can be done with each.

import * as api from "./api.js";
import { restore, showDeleted } from "./deleted.js";
import { attempt, toast } from "./messages.js";
import { cardOf } from "./project_card.js";
import { renameProject } from "./renaming.js";
import { $, counted, el, setItems } from "./ui.js";

const ORDER = "cyclevos-project-order";
const MANY = 8; // projects from which a search and an order help
const cards = new Map(); // id: {told, card}, so that a list that is shown again keeps its pictures and the focus
const chosen = new Set(); // ids of projects to track
let projects = [];
let asked = 0; // how often the list was asked for
let answered = 0; // which of these answers is shown

/** The ids of the projects that are ticked, in the order of the list. */
export const chosenProjects = () => ordered().filter(({ id }) => chosen.has(id)).map(({ id }) => id);

/** Untick all projects. */
export function unchoose() {
  chosen.clear();
  show();
}

/**
 * Fetch the list and show it, with the focus on a project (null: on the heading). An answer never takes the place of one
 * that was asked for later.
 */
export async function showProjects(focused) {
  const mine = (asked += 1);
  const told = await attempt(() => api.get("/projects"));
  if (told && mine > answered) [projects, answered] = [told, mine];
  for (const id of [...chosen]) if (!projects.some((each) => each.id === id && each.marked)) chosen.delete(id);
  show();
  if (focused !== undefined) focusOn(focused);
  await showDeleted(showProjects);
}

function ordered() {
  if ($("project-sort").value === "changed") return projects;
  return [...projects].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true, sensitivity: "base" }));
}

/** The projects whose name has what is searched for. */
function found() {
  const wanted = $("project-search").value.trim().toLowerCase();
  return ordered().filter(({ name }) => name.toLowerCase().includes(wanted));
}

function show() {
  const many = projects.length > MANY;
  $("project-search").hidden = !many;
  if (!many) $("project-search").value = "";
  $("project-order").hidden = projects.length < 2;
  const list = $("projects");
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const shown = found();
  setItems(list, shown.length ? shown.map(card) : [el("li.empty", {}, emptyText())]);
  for (const id of [...cards.keys()]) if (!projects.some((each) => each.id === id)) cards.delete(id);
  if (focused && list.contains(focused)) focused.focus();
  showChosen();
}

const emptyText = () => (projects.length
  ? "No project has this in its name."
  : "None yet. Projects are kept: close the page at any time and continue later.");

function card(project) {
  const told = JSON.stringify(project);
  if (cards.get(project.id)?.told !== told) {
    cards.set(project.id, { told, card: cardOf(project, { choose, menu: (button) => openMenu(project, button) }) });
  }
  const made = cards.get(project.id).card;
  const box = made.querySelector("input");
  if (box) box.checked = chosen.has(project.id);
  return made;
}

function choose(id, wanted) {
  if (wanted) chosen.add(id);
  else chosen.delete(id);
  showChosen();
}

function showChosen() {
  const markable = projects.filter(({ marked }) => marked);
  $("chosen").hidden = markable.length < 2;
  $("chosen-says").textContent = chosen.size
    ? `${counted(chosen.size, "project")} ticked`
    : markable.length < projects.length ? "Tick projects to track (those with a marked frame)" : "Tick the projects to track";
  $("batch-start").disabled = $("choose-none").disabled = !chosen.size;
}

/** Show what can be done with a project beside its button. */
function openMenu(project, button) {
  const menu = $("project-menu");
  const item = (label, act) => el("button", { type: "button", onclick: () => (menu.hidePopover(), act(project)) }, label);
  const whole = [item("Rename", rename), item("Duplicate", duplicate)];
  menu.replaceChildren(...(project.problem ? [] : whole), item("Delete", remove));
  menu.setAttribute("aria-label", `Project ${project.name}`);
  menu.showPopover();
  const [box, at] = [menu.getBoundingClientRect(), button.getBoundingClientRect()];
  menu.style.left = `${Math.max(8, Math.min(at.right - box.width, innerWidth - box.width - 8))}px`;
  menu.style.top = `${at.bottom + box.height + 4 > innerHeight ? at.top - box.height - 4 : at.bottom + 4}px`;
  menu.querySelector("button").focus();
}

async function rename({ id, name }) {
  await renameProject(id, name);
  await showProjects(id);
}

async function duplicate({ id, name }) {
  toast(`Copying ${name}.`);
  const copy = await attempt(() => api.call("POST", `/projects/${id}/duplicate`));
  await showProjects(copy?.id);
  if (copy) toast(`Made ${copy.name}.`);
}

async function remove({ id, name }) {
  const list = found();
  const at = list.findIndex((each) => each.id === id);
  const beside = list[at + 1] ?? list[at - 1];
  const answer = await attempt(() => api.call("DELETE", `/projects/${id}`));
  await showProjects(answer && (beside?.id ?? null));
  if (answer) toast(`Deleted ${name}.`, { label: "Undo", act: () => restore(answer.deleted) });
}

/** Focus a project, or the heading of the list where it is not shown. */
function focusOn(id) {
  (cards.get(id)?.card.querySelector("a, button") ?? $("projects-title")).focus();
}

$("project-sort").value = localStorage.getItem(ORDER) ?? "changed";
$("project-sort").addEventListener("change", ({ target }) => {
  localStorage.setItem(ORDER, target.value);
  show();
});
$("project-search").addEventListener("input", show);
$("choose-none").addEventListener("click", unchoose);
$("choose-all").addEventListener("click", () => {
  for (const { id, marked } of found()) if (marked) chosen.add(id);
  show();
});
const again = () => document.visibilityState === "visible" && !$("welcome").hidden && showProjects();
addEventListener("visibilitychange", again);
addEventListener("pageshow", ({ persisted }) => persisted && again());
