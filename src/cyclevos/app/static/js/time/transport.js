// Moving through time: buttons, the frame's number, playing, and what is known of the frame.

import * as frames from "../canvas/frames.js";
import * as masks from "../painting/masks.js";
import { goTo, on, set, statusOf, store } from "../page/store.js";
import { $, attempt, icon, pressed } from "../page/ui.js";

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
  pill.textContent = WORDS[status];
  pill.dataset.status = status;
  pressed($("accept"), status === "accepted");
  $("accept").textContent = status === "accepted" ? "Accepted" : "Accept frame";
}

/** Finish the frame, or open it again. */
export async function toggleAccept() {
  const { frame } = store;
  const accepted = statusOf(frame) !== "accepted";
  await attempt(() => masks.accept(frame, accepted));
}

/** Play at the video's own times, or stop. A frame that is late is waited for: none is passed over. */
export async function togglePlay() {
  if (store.playing) {
    set({ playing: false });
    return;
  }
  const { project } = store;
  if (store.frame >= project.frames - 1) goTo(0);
  set({ playing: true });
  while (store.playing && store.project === project && store.frame < project.frames - 1) {
    const next = store.frame + 1;
    const begun = performance.now();
    const here = timeOf(next);
    const gap = here === null ? 40 : Math.max(1, 1000 * (here - timeOf(store.frame)));
    try {
      await Promise.all([frames.picture(next), masks.load(next)]);
    } catch {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, gap - (performance.now() - begun))));
    if (store.playing && store.frame === next - 1) goTo(next, { follow: store.follow });
  }
  set({ playing: false });
}

for (const name of ["home", "theme", "help", "first", "previous", "play", "next", "last"]) $(name).append(icon(name));
$("first").addEventListener("click", () => goTo(0));
$("previous").addEventListener("click", () => goTo(store.frame - 1));
$("next").addEventListener("click", () => goTo(store.frame + 1));
$("last").addEventListener("click", () => goTo(Infinity));
$("play").addEventListener("click", togglePlay);
$("accept").addEventListener("click", toggleAccept);
$("frame").addEventListener("change", ({ target }) => {
  if (target.value !== "") goTo(Number(target.value));
  target.value = store.frame;
});
on("playing", () => {
  $("play").replaceChildren(icon(store.playing ? "pause" : "play"));
  $("play").setAttribute("aria-label", store.playing ? "Pause" : "Play");
});
on("frame project refreshed", showFrame);
on("frames", (index) => index === store.frame && showStatus());
