// The export dialog, its list of formats as the server offers them, and the download of a zip.

import * as api from "../page/api.js";
import { attempt, toast } from "../page/messages.js";
import { on, store } from "../page/store.js";
import { $, dialog, el, prose } from "../page/ui.js";
import { untilSaved } from "../painting/masks.js";

const ended = new Map(); // a short export may end before the request for it is answered
let wanted = null;

const MORE = [["annotation", "For annotation tools and training"], ["editing", "For editors and the web"]];

function choice({ name, label, summary, preselected }) {
  const box = el("input", { type: "checkbox", value: name, checked: preselected });
  const words = `${summary[0].toUpperCase()}${summary.slice(1)}.`;
  return el("label", {}, box, el("span", {}, label), el("span.quiet", {}, ...prose(words)));
}

/** The formats for one purpose: all at once, or under a heading that opens. */
function choices(purpose, heading) {
  const labels = store.server.exports.filter((each) => each.purpose === purpose).map(choice);
  const list = el("div.choices", {}, ...labels);
  return heading ? el("details", {}, el("summary", {}, heading), list) : list;
}

export async function openExport() {
  const lists = [choices("results"), ...MORE.map(([purpose, heading]) => choices(purpose, heading))];
  const boxes = lists.flatMap((list) => [...list.querySelectorAll("input")]);
  const folder = el("input", { type: "text", id: "export-folder", autocomplete: "off", spellcheck: "false",
    placeholder: store.server.folders[0] ? `for example ${store.server.folders[0]}/masks` : "" });
  const content = [
    ...lists,
    el("label", { for: "export-folder" }, "New folder on the app's computer"),
    folder,
    el("p.quiet", {}, "Leave it empty to download a zip."),
  ];
  const values = () => ({
    kinds: boxes.filter(({ checked }) => checked).map(({ value }) => value),
    folder: folder.value.trim() || null,
  });
  const actions = [{ label: "Cancel" }, { label: "Export", value: values, primary: true }];
  const chosen = await dialog("Export", content, actions);
  if (!chosen) return;
  if (!chosen.kinds.length) {
    toast("Choose at least one format.");
    return;
  }
  const job = await attempt(async () => {
    await untilSaved();
    ended.clear();
    return api.call("POST", `/projects/${store.project.id}/export`, chosen);
  });
  if (!job) return;
  if (ended.has(job.id)) deliver(ended.get(job.id));
  else wanted = job.id;
}

function deliver({ folder, file, lost = [] }) {
  toast([`Exported to ${folder ?? file}.`, ...lost].join(" "));
  if (file) el("a", { href: `/api/projects/${store.project.id}/exports/${file}`, download: file }).click();
}

on("job", (job) => {
  if (job.kind !== "export" || job.status !== "done") return;
  if (job.id !== wanted) {
    ended.set(job.id, job.result);
    return;
  }
  wanted = null;
  deliver(job.result);
});
$("export").addEventListener("click", openExport);
