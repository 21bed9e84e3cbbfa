// An open project: fetches its state, listens to its events, and shows both.

import * as api from "./api.js";
import * as history from "../painting/history.js";
import * as masks from "../painting/masks.js";
import { isActive } from "./jobs.js";
import { attempt } from "./messages.js";
import { adopt, emit, goTo, on, set, store, whyUnreadable } from "./store.js";
import { isTracking, track } from "../time/track.js";
import { renameProject } from "./renaming.js";
import { $, counted, el, explained, prose } from "./ui.js";
import "../panels/inspector.js";
import "../panels/edits.js";
import "../panels/exporting.js";
import "../panels/look_bar.js";
import "../panels/results.js";
import "../panels/objects.js";
import "../time/adapting.js";
import "../time/review.js";
import { frameOf } from "./places.js";
import "./preferences.js";
import "./saved.js";
import "./shortcuts.js";
import "../time/timeline.js";
import { chooseTool } from "../painting/tools.js";
import "../time/transport.js";
import * as view from "../canvas/view.js";
import "../canvas/absent.js";

const RETRIED = 2000; // milliseconds between tries to reach a server that is gone
let news = null;
let refreshing = null;
let connected = false; // it has been once: news may have been missed since

/** Open a project in this page. */
export async function openProject(id) {
  const state = adopt(await api.get(`/projects/${encodeURIComponent(id)}`));
  $("editor").hidden = false;
  set({ project: state, frame: 0, object: state.objects[0]?.id ?? 0 });
  emit("refreshed");
  goTo(frameOf(id) ?? Number(Object.keys(state.marks)[0] ?? 0));
  listen();
  showName();
  showHint();
  masks.report();
}

function listen() {
  news?.close();
  news = new EventSource(`/api/projects/${store.project.id}/events`);
  const data = (act) => (event) => attempt(() => act(JSON.parse(event.data)));
  news.addEventListener("hello", data(({ told }) => {
    masks.report();
    if (connected || told !== store.project.told) refresh({ everything: true });
    connected = true;
  }));
  news.addEventListener("changed", data(({ everything }) => refresh({ everything })));
  news.addEventListener("history", data(history.hear));
  news.addEventListener("reading", data(({ done, total }) => {
    $("reading").hidden = false;
    $("reading").textContent = `Reading the video: ${done}${total ? ` of ${total}` : ""} frames`;
  }));
  news.addEventListener("mask", data(async (told) => {
    const { follow } = store; // its value now: the last mask is still being unpacked when tracking has ended
    await masks.hear(told);
    if (follow && told.mask) goTo(told.frame, { follow: true });
  }));
  news.addEventListener("job", data((job) => {
    if (job.kind === "track" && !isActive(job)) refresh();
    emit("job", job);
  }));
  news.onerror = () => {
    if (news.readyState !== EventSource.CLOSED) {
      masks.report(true);
      return;
    }
    sayWhy();
    setTimeout(listen, RETRIED);
  };
}

/** The stream of events ends for good where the project was deleted or moved: say so, until it is back. */
async function sayWhy() {
  try {
    await api.get(`/projects/${store.project.id}`);
  } catch (error) {
    const isGone = error instanceof api.Unreachable;
    masks.report(isGone);
    if (isGone) return;
    $("reading").hidden = false;
    $("reading").replaceChildren(...explained(error));
  }
}

/** Fetch the project's state again; with everything, loaded masks that are saved are forgotten. */
async function refresh({ everything = false } = {}) {
  if (refreshing) {
    refreshing.again = true;
    refreshing.everything ||= everything;
    return;
  }
  refreshing = { again: true, everything };
  const { id } = store.project;
  await attempt(async () => {
    while (refreshing.again) {
      refreshing.again = false;
      const state = adopt(await api.get(`/projects/${id}`));
      if (refreshing.everything) masks.dropAll();
      masks.keepNewer(state);
      store.project = Object.assign(store.project, state);
    }
  });
  refreshing = null;
  emit("refreshed");
  for (const part of ["objects", "review"]) emit(part);
  emit("frames", store.frame);
  showName();
  showHint();
}

function showName() {
  const { project } = store;
  $("project-name").textContent = project.name;
  document.title = `${project.name} - cyclevos`;
  if (project.reading !== null && !project.problem) return; // how far it is read stands there
  const said = faultOf(project);
  $("reading").hidden = !said;
  $("reading").replaceChildren(...prose(said));
}

/** What is wrong with the video, in words; empty if nothing is. */
function faultOf({ problem, remedy, unreadable, cut_short: end }) {
  if (problem) return `${problem} ${remedy}`;
  const bad = Object.keys(unreadable).length;
  return [bad ? `${counted(bad, "frame")} cannot be read.` : "", end ? `The video breaks off: ${end}.` : ""].filter(Boolean).join(" ");
}

/** Suggest the next step while the project is new. */
function showHint() {
  const { project, fixed } = store;
  if (!project) return;
  const action = (label, act, kind = "button.button.small") => el(kind, { type: "button", onclick: act }, label);
  const hint = $("hint");
  hint.hidden = Boolean(store.look || whyUnreadable(store.frame));
  if (hint.hidden) return;
  if (store.tool === "point" && store.preparing && !project.trackedSet.size) {
    hint.replaceChildren(el("span", {}, "Getting ready to point. You can click now; the mask will follow."));
  } else if (!Object.keys(project.marks).length) {
    const points = store.tool === "point";
    hint.replaceChildren(
      el("span", {}, points ? "Click the object, or drag a box around it." : "Press C and click the object you want, or paint it."),
      ...(points ? [] : [action("Point at it", () => chooseTool("point"), "button.button.primary.small")]),
      ...readyMask(action),
    );
  } else if (!project.trackedSet.size && !isTracking()) {
    hint.replaceChildren(
      el("span", {}, store.pointing
        ? `Click what is missing, right-click what is too much${store.ambiguous ? "; Tab shows another candidate" : ""}.`
        : "Add more objects, or track these through the video."),
      action("Track forward", () => track("forward"), "button.button.primary.small"),
    );
  } else if (fixed && !isTracking()) {
    hint.replaceChildren(
      el("span", {}, "Track again to update the other frames. Accepted frames stay as they are."),
      action("Track forward", () => track("forward"), "button.button.primary.small"),
      action("Later", () => history.settleFixes(history.openFixes())),
    );
  } else {
    hint.hidden = true;
  }
}

/** The first frame of a demo clip has a mask that can be taken instead of painting. */
function readyMask(action) {
  const clip = store.project.video.replace(/\.[^.]+$/, "");
  if (store.frame !== 0 || !store.server.demos.includes(clip)) return [];
  const take = () => attempt(async () => {
    await masks.act(0, "POST", "/masks/0/demo");
    await refresh();
  });
  return [action("Use a ready mask", take)];
}

$("project-name").addEventListener("click", () => renameProject(store.project.id, store.project.name));
$("size").addEventListener("input", ({ target }) => set({ size: Number(target.value) }));
$("opacity").addEventListener("input", ({ target }) => set({ opacity: Number(target.value) / 100 }));
$("fit").addEventListener("click", view.fit);
on("size", () => {
  $("size").value = store.size;
  $("size-value").textContent = store.size;
  view.redraw();
});
on("opacity", () => ($("opacity").value = 100 * store.opacity));
on("reload", () => refresh({ everything: true }));
on("frame frames fixed job look tool pointing ambiguous preparing", showHint);
