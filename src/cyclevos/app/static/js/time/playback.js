// Playing at the pace of the video: frames that cannot be here in time are passed over. What is shown is always one frame
// and its own mask.

import * as frames from "../canvas/frames.js";
import * as look from "./look.js";
import { playingWidth } from "../canvas/view.js";
import { goTo, on, set, store, whyUnreadable } from "../page/store.js";
import { $, pressed } from "../page/ui.js";
import { range } from "./range.js";

const AHEAD = 4; // frames that are fetched or wait to be shown
const AT_ONCE = 2; // fetched at a time: the server decodes one while the page unpacks the other
const UNTIMED = 0.04; // seconds per frame, until the video has been read
const FAILURES = 3; // in a row, after which playing stops
const KEPT = { loop: "cyclevos-loop", speed: "cyclevos-speed" };
let run = null; // {first, last, shown, anchor, began, ready, pending, asked, cost, failures}

/** Play, or stop. At the end of the video, or of the range that is set, playing begins anew. */
export function togglePlay() {
  if (store.playing) {
    set({ playing: false });
    return;
  }
  const { first, last } = range();
  if (store.frame >= last || store.frame < first) goTo(first);
  set({ playing: true });
  run = { cost: 0, failures: 0 };
  begin();
  requestAnimationFrame(tick);
}

export const toggleLoop = () => set({ loop: !store.loop });

const timeOf = (index) => (store.project.times.length >= store.project.frames ? store.project.times[index] : UNTIMED * index);

/** Count time from the frame on screen. What was asked for before is not waited for. */
function begin() {
  Object.assign(run, {
    ...range(), shown: store.frame, anchor: timeOf(store.frame), began: performance.now(),
    ready: new Set(), pending: new Set(), asked: store.frame,
  });
}

/** The last frame that is due at a moment. */
function dueAt(moment) {
  const time = run.anchor + (store.speed * (moment - run.began)) / 1000 + 1e-6;
  let [low, high] = [run.shown, run.last];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (timeOf(middle) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

function tick() {
  if (!store.playing || !store.project) return;
  if (store.frame !== run.shown) begin(); // somebody went elsewhere
  const now = performance.now();
  const due = dueAt(now);
  showReady(due);
  if (run.shown >= run.last && !again(now)) return;
  if (run.asked < run.last && run.pending.size < AT_ONCE && run.pending.size + run.ready.size < AHEAD) {
    fetchFrame(Math.min(run.last, Math.max(run.asked + 1, dueAt(now + run.cost))));
  }
  requestAnimationFrame(tick);
}

/** Show the newest frame that is here and due; older ones are passed over, also those that come after a newer one. */
function showReady(due) {
  const here = [...run.ready].filter((index) => index <= due);
  for (const index of here) run.ready.delete(index);
  const newest = Math.max(run.shown, ...here);
  if (newest === run.shown) return;
  run.shown = newest;
  goTo(run.shown, { follow: store.follow });
}

/** At the end: from the beginning once the last frame has had its time, or stop. */
function again(now) {
  if (!store.loop || run.last <= run.first) {
    set({ playing: false });
    return false;
  }
  const length = Math.max(UNTIMED, timeOf(run.last) - timeOf(run.last - 1));
  if (run.anchor + (store.speed * (now - run.began)) / 1000 < timeOf(run.last) + length) return true;
  goTo(run.first);
  begin();
  return true;
}

async function fetchFrame(index) {
  const mine = run;
  const { pending, ready } = run;
  const fit = playingWidth();
  const began = performance.now();
  run.asked = index;
  pending.add(index);
  try {
    await Promise.all([whyUnreadable(index) ? null : frames.picture(index, fit), look.load(index, fit)]);
    ready.add(index);
    mine.failures = 0;
    mine.cost += 0.3 * (performance.now() - began - mine.cost);
  } catch {
    mine.failures += 1;
    if (mine === run && (mine.failures >= FAILURES || index === mine.last)) set({ playing: false });
  }
  pending.delete(index);
}

function showControls() {
  $("speed").value = store.speed;
  pressed($("loop"), store.loop);
  localStorage.setItem(KEPT.loop, store.loop);
  localStorage.setItem(KEPT.speed, store.speed);
}

$("play").addEventListener("click", togglePlay);
$("loop").addEventListener("click", toggleLoop);
$("speed").addEventListener("change", ({ target }) => {
  set({ speed: Number(target.value) });
  $("canvas").focus(); // keys are shortcuts again
});
on("speed", () => store.playing && begin());
on("speed loop", showControls);
const speeds = [...$("speed").options].map(({ value }) => value);
const kept = localStorage.getItem(KEPT.speed);
set({ loop: localStorage.getItem(KEPT.loop) === "true", speed: speeds.includes(kept) ? Number(kept) : 1 });
showControls();
