// The start page: open a video by path, upload or drop, take a demo clip, or go on with a project.

import * as api from "./api.js";
import { store } from "./store.js";
import { $, attempt, closeDialog, dialog, el, icon, toast } from "./ui.js";

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
  const projects = await attempt(() => api.get("/projects"));
  showProjects(projects ?? []);
}

function showProjects(projects) {
  if (!projects.length) {
    $("projects").replaceChildren(el("li.empty", {}, "None yet. Projects are kept: close the page at any time and continue later."));
    return;
  }
  $("projects").replaceChildren(...projects.map(({ id, name, problem, remedy, frames, width, height, objects, changed }) => {
    const words = problem ? `${problem} ${remedy}` : [
      frames ? `${frames} frames` : "", `${width}×${height}`, objects === 1 ? "1 object" : `${objects} objects`,
      new Date(1000 * changed).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
    ].filter(Boolean).join(" · ");
    return el("li", {}, el("a", { href: `/?project=${id}` }, el("strong", {}, name), el("span.quiet", {}, words)));
  }));
}

async function upload(file) {
  const { max_upload: most, suffixes } = store.server;
  const suffix = file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
  if (!suffixes.includes(suffix)) {
    toast(new api.Refusal(`${file.name} is not a video that this app can read.`, `Choose one of ${suffixes.join(", ")}.`));
    return;
  }
  if (file.size > most) {
    toast(new api.Refusal(`${file.name} is larger than ${Math.floor(most / 2 ** 20)} MB.`, "Open it by its path instead."));
    return;
  }
  const bar = $("upload-progress");
  bar.hidden = false;
  $("upload-note").textContent = `Copying ${file.name}`;
  const project = await attempt(() => api.upload(file, (part) => (bar.firstElementChild.style.width = `${100 * part}%`)));
  bar.hidden = true;
  $("upload-note").textContent = "The file is copied into the project on this computer and sent nowhere else.";
  if (project) enter(project);
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
    const file = event.dataTransfer.files[0];
    if (file && !$("welcome").hidden) upload(file);
  });
}

$("upload").addEventListener("change", ({ target }) => {
  if (target.files.length) upload(target.files[0]);
  target.value = "";
});
$("open-path").addEventListener("submit", (event) => {
  event.preventDefault();
  const path = $("path").value.trim();
  if (path) open({ path });
});
$("browse").addEventListener("click", browse);
acceptDrops();
