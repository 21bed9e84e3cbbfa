// Moving through time: buttons, the frame's number, and what is known of the frame.

import * as masks from "../painting/masks.js";
import { attempt } from "../page/messages.js";
import { goTo, on, statusOf, store, whyUnreadable } from "../page/store.js";
import { $, icon } from "../page/ui.js";

const ACCEPT = ["Accept frame", "Accept this frame: tracking no longer changes it (A)"];
const REOPEN = ["Reopen frame", "Open this frame again, to change it (A)"];
const WORDS = { empty: "No mask", tracked: "Tracked", marked: "Painted", accepted: "Accepted" };

const timeOf = (index) => store.project.times[index] ?? null;

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

function showFrame() {
  const { project, frame } = store;
  if (!project) return;
  const time = timeOf(frame);
  const end = project.times.at(-1);
  const number = $("frame");
  number.max = project.frames - 1;
  if (document.activeElement !== number) number.value = frame;
  $("time").textContent = time === null ? `of ${project.frames}` : `${clock(time)} / ${clock(end)}`;
  showStatus();
}

function showStatus() {
  if (!store.project) return;
  const status = statusOf(store.frame);
  const pill = $("status");
  const unreadable = whyUnreadable(store.frame) !== undefined;
  pill.textContent = unreadable ? "Unreadable" : WORDS[status];
  pill.dataset.status = unreadable ? "unreadable" : status;
  $("accept").disabled = unreadable && status !== "accepted";
  const [words, title] = status === "accepted" ? REOPEN : ACCEPT;
  Object.assign($("accept"), { textContent: words, title });
}

/** Finish the frame, or open it again. */
export async function toggleAccept() {
  const { frame } = store;
  const accepted = statusOf(frame) !== "accepted";
  await attempt(() => masks.accept(frame, accepted));
}

for (const name of ["home", "theme", "help", "first", "previous", "play", "next", "last", "loop"]) $(name).append(icon(name));
$("first").addEventListener("click", () => goTo(0));
$("previous").addEventListener("click", () => goTo(store.frame - 1));
$("next").addEventListener("click", () => goTo(store.frame + 1));
$("last").addEventListener("click", () => goTo(Infinity));
$("accept").addEventListener("click", toggleAccept);
$("frame").addEventListener("change", ({ target }) => {
  if (target.value !== "") goTo(Number(target.value));
  target.value = store.frame;
});
$("frame").addEventListener("keydown", ({ key }) => key === "Enter" && $("canvas").focus({ preventScroll: true })); // keys are shortcuts again
on("playing", () => {
  $("play").replaceChildren(icon(store.playing ? "pause" : "play"));
  $("play").setAttribute("aria-label", store.playing ? "Pause" : "Play");
});
on("frame project refreshed side", showFrame);
on("frames", (index) => index === store.frame && showStatus());
