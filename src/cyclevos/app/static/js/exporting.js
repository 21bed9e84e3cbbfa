// The export dialog, and the download when it is packed.

import * as api from "./api.js";
import { on, store } from "./store.js";
import { $, attempt, dialog, el, toast } from "./ui.js";
import { isSaved } from "./masks.js";

const KINDS = [
  ["masks", "Masks", "One indexed PNG per frame, its pixels the objects' numbers: what cyclevos segment writes.", true],
  ["overlay", "Overlay video", "The video with the masks in colour, as MP4.", true],
  ["reliability", "Reliability", "How far to trust each mask, as a table, and pictures of the frames worth a look.", true],
  ["objects", "One folder per object", "Black and white PNGs, for compositing.", false],
  ["coco", "COCO JSON", "All masks in one file, for training detectors.", false],
  ["marks", "Your painted masks", "The frames that you painted or accepted, to start again from them.", false],
];
let wanted = null;

export async function openExport() {
  const boxes = KINDS.map(([kind, title, words, on]) => {
    const box = el("input", { type: "checkbox", value: kind, checked: on });
    return el("label", {}, box, el("span", {}, title), el("span.quiet", {}, words));
  });
  const folder = el("input", { type: "text", id: "export-folder", autocomplete: "off", spellcheck: "false",
    placeholder: store.server.folders[0] ? `for example ${store.server.folders[0]}/masks` : "" });
  const content = [
    el("div.choices", {}, ...boxes),
    el("label", { for: "export-folder" }, "Into a new folder on the app's computer"),
    folder,
    el("p.quiet", {}, "Leave it empty to download a zip."),
  ];
  const values = () => ({
    kinds: boxes.map((label) => label.firstChild).filter(({ checked }) => checked).map(({ value }) => value),
    folder: folder.value.trim() || null,
  });
  const actions = [{ label: "Cancel" }, { label: "Export", value: values, primary: true }];
  const chosen = await dialog("Export", content, actions);
  if (!chosen) return;
  if (!chosen.kinds.length) {
    toast("Nothing was chosen to export.");
    return;
  }
  while (!isSaved()) await new Promise((resolve) => setTimeout(resolve, 50));
  const job = await attempt(() => api.call("POST", `/projects/${store.project.id}/export`, chosen));
  if (job) wanted = job.id;
}

on("job", (job) => {
  if (job.kind !== "export" || job.id !== wanted || job.status !== "done") return;
  wanted = null;
  if (job.result.folder) {
    toast(`Exported into ${job.result.folder}.`);
    return;
  }
  const { file } = job.result;
  el("a", { href: `/api/projects/${store.project.id}/exports/${file}`, download: file }).click();
  toast(`Exported: ${file}`);
});
$("export").addEventListener("click", openExport);
