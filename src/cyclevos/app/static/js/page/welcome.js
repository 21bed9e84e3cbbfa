// The start page: open a video by path, upload or drop, take a demo clip, or go on with a project of the list.

import * as api from "./api.js";
import { showBatch } from "./batch.js";
import { attempt, toast } from "./messages.js";
import { showProjects } from "./projects.js";
import { store } from "./store.js";
import { $, closeDialog, counted, dialog, el, explained, icon } from "./ui.js";

const titleOf = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " ");

function enter(project) {
  location.assign(`/?project=${project.id}`);
}

async function open(body) {
  const project = await attempt(() => api.call("POST", "/projects", body));
  if (project) enter(project);
}

/** Show the start page. */
export async function showWelcome() {
  $("welcome").hidden = false;
  const { demos, suffixes } = store.server;
  $("upload").accept = suffixes.join(",");
  $("demos").replaceChildren(...demos.map((name) =>
    el("button.button.demo-button", { type: "button", onclick: () => open({ demo: name, name: titleOf(name) }) },
      icon("video"), titleOf(name))));
  await Promise.all([showProjects(), showBatch()]);
}

const SAFE = $("upload-note").textContent; // where the files go
let sending = false;

/** Why a file is not sent at all; null if it is. */
function refusal(file) {
  const { max_upload: most, suffixes } = store.server;
  const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
  if (!suffixes.includes(suffix)) {
    return new api.Refusal("It is not a video that this app can read.", `Choose one of ${suffixes.join(", ")}.`);
  }
  if (file.size > most) {
    return new api.Refusal(`It is larger than ${Math.floor(most / 2 ** 20)} MB.`, "Open it by its path instead.");
  }
  return null;
}

/** Make a project of each file; a single one is opened. */
async function uploadAll(files) {
  if (sending) {
    toast(new api.Refusal("Videos are still being copied.", "Add more when they are done."));
    return;
  }
  sending = true;
  const made = [];
  const failed = [];
  $("upload-failed").hidden = true;
  for (const [at, file] of files.entries()) {
    $("upload-note").textContent = `Copying ${files.length > 1 ? `${at + 1} of ${files.length}: ` : ""}${file.name}`;
    try {
      made.push(await upload(file));
    } catch (error) {
      failed.push(el("li", {}, el("strong", {}, file.name), " ", ...explained(error)));
    }
  }
  sending = false;
  $("upload-progress").hidden = true;
  $("upload-note").textContent = made.length && files.length > 1 ? `Made ${counted(made.length, "project")}. ${SAFE}` : SAFE;
  $("upload-failed").hidden = !failed.length;
  $("upload-failed").replaceChildren(...failed);
  if (files.length === 1 && made.length) enter(made[0]);
  else await showProjects();
}

async function upload(file) {
  const refused = refusal(file);
  if (refused) throw refused;
  const bar = $("upload-progress");
  bar.hidden = false;
  return api.upload(file, (part) => (bar.firstElementChild.style.width = `${100 * part}%`));
}

async function browse() {
  const list = el("div.listing");
  const where = el("p.quiet");
  const show = async (path) => {
    const folder = await attempt(() => api.get(`/folders?path=${encodeURIComponent(path)}`));
    if (!folder) return;
    where.textContent = folder.path || "Folders that this app may open";
    const entry = (picture, text, act) => el("button", { type: "button", onclick: act }, icon(picture), text);
    const up = folder.parent === null ? [] : [entry("folder", "..", () => show(folder.parent))];
    const rows = folder.entries.map(({ name, path: place, kind }) =>
      entry(kind === "folder" ? "folder" : "video", kind === "frames" ? `${name} (folder of frames)` : name, () => {
        if (kind === "folder") show(place);
        else {
          closeDialog();
          open({ path: place });
        }
      }));
    const none = rows.length ? [] : [el("p.quiet.pad", {}, "No videos here.")];
    list.replaceChildren(...up, ...rows, ...none);
  };
  const { folders } = store.server;
  await show(folders.length === 1 ? folders[0] : "");
  await dialog("Open a video", [where, list], [{ label: "Cancel" }]);
}

function acceptDrops() {
  const zone = $("drop");
  addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && zone.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length && !$("welcome").hidden) uploadAll(files);
  });
}

$("upload").addEventListener("change", ({ target }) => {
  const files = [...target.files];
  target.value = "";
  if (files.length) uploadAll(files);
});
$("open-path").addEventListener("submit", (event) => {
  event.preventDefault();
  const path = $("path").value.trim();
  if (path) open({ path });
});
$("browse").addEventListener("click", browse);
addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});
acceptDrops();
