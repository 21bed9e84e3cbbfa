// Renaming a project, from the list as from the project itself.

import * as api from "./api.js";
import { attempt } from "./messages.js";
import { dialog, el } from "./ui.js";

/** Ask for a project's new name and give it; resolves to the name, undefined if it stays. */
export async function renameProject(id, current) {
  const field = el("input", { type: "text", maxlength: 80, "aria-label": "Name of the project" });
  field.value = current;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") field.closest("dialog").querySelector(".primary").click();
  });
  const actions = [{ label: "Cancel" }, { label: "Rename", value: () => field.value.trim(), primary: true }];
  const asked = dialog("Rename the project", [field], actions);
  field.select();
  const name = await asked;
  if (!name || name === current) return undefined;
  return (await attempt(() => api.call("PATCH", `/projects/${id}`, { name })))?.name;
}
