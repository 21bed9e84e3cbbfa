// The deleted projects: restore one, or remove it for good.

import * as api from "./api.js";
import { attempt, toast } from "./messages.js";
import { $, counted, dialog, el } from "./ui.js";

const calendar = new Intl.DateTimeFormat([], { dateStyle: "medium" });
let changed = () => {}; // shows all lists again, with the focus on a project

/** Fetch the deleted projects and show them; `again` is called when a person has changed them. */
export async function showDeleted(again) {
  changed = again;
  const entries = (await attempt(() => api.get("/deleted"))) ?? [];
  $("deleted").hidden = !entries.length;
  $("deleted-title").textContent = `Deleted (${entries.length})`;
  $("deleted-list").replaceChildren(...entries.map(row));
}

function row({ id, name, deleted }) {
  const day = calendar.format(1000 * deleted);
  const action = (label, act, kind = "button.button.small") =>
    el(kind, { type: "button", "aria-label": `${label}: ${name}`, onclick: act }, label);
  return el("li", {},
    el("span.grow", {}, el("strong", {}, name), el("span.quiet", {}, ` deleted ${day}`)),
    action("Restore", () => restoreHere(id, name)),
    action("Remove for good", () => removeForGood(`/deleted/${id}`, name), "button.button.small.danger"));
}

/** Bring a deleted project back and show the lists again; resolves to the project, undefined if that is refused. */
export async function restore(entry) {
  const project = await attempt(() => api.call("POST", `/deleted/${entry}`));
  await changed(project?.id);
  return project;
}

async function restoreHere(entry, name) {
  if (await restore(entry)) toast(`${name} is back in the list.`);
}

async function removeForGood(path, what) {
  const words = el("p", {}, `The masks of ${what}, and videos that were uploaded, cannot be brought back.`);
  const actions = [{ label: "Cancel", primary: true }, { label: "Remove for good", value: true, danger: true }];
  if (!(await dialog(`Remove ${what} for good?`, [words], actions))) return;
  await attempt(() => api.call("DELETE", path));
  await changed();
  $("projects-title").focus();
}

$("deleted-empty").addEventListener("click", () =>
  removeForGood("/deleted", counted($("deleted-list").children.length, "deleted project")));
