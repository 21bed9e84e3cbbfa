// Words stand in the place of a frame that is not here yet or cannot be read, never the picture of another frame.

import { goTo, on, set, store, whyUnreadable } from "../page/store.js";
import { nextReadable, unreadableWords } from "../time/unreadable.js";
import { $, el, prose } from "../page/ui.js";
import * as view from "./view.js";

const PATIENCE = 250; // milliseconds: shorter waits would flicker
let timer = 0;

/** A frame was asked for: say so if it does not come soon, or at once if it never will. */
function wait() {
  clearTimeout(timer);
  const isShown = store.project && view.shown?.frame === store.frame;
  if (whyUnreadable(store.frame)) set({ absent: "unreadable" });
  else if (isShown) set({ absent: null });
  else if (store.absent) set({ absent: "late" });
  if (store.absent !== "unreadable") timer = setTimeout(() => {
    if (store.project && !store.absent && view.shown?.frame !== store.frame) set({ absent: "late" }); // it may have failed
  }, PATIENCE);
  showWords();
}

function arrive() {
  if (view.shown.frame === store.frame && !whyUnreadable(store.frame)) set({ absent: null });
}

function showWords() {
  const { absent, frame } = store;
  $("absent").hidden = !absent;
  $("absent").classList.toggle("unreadable", absent === "unreadable");
  const words = {
    late: () => [`Frame ${frame} is being fetched`],
    failed: () => [`Frame ${frame} could not be fetched. Go to another frame, then back to try again.`],
    unreadable: () => [el("strong", {}, `${unreadableWords(frame)}.`), ...(store.playing ? [] : remedies(frame))],
  };
  $("absent").replaceChildren(...(absent ? words[absent]() : []));
}

/** What a person can do about a frame that cannot be read. */
function remedies(frame) {
  const next = nextReadable(frame);
  const skip = next === null ? [] : [el("button.button.small", { type: "button", onclick: () => goTo(next) }, `Go to frame ${next}`)];
  const repair = store.project.pictures ? "replace the picture and open the project again."
    : "re-encode the video with `ffmpeg -i damaged.mp4 repaired.mp4` and open the result.";
  return [
    el("p", {}, "Skip it: tracking passes over it and makes no mask for it. G says that the chosen object is not in it."),
    el("p", {}, ...prose(`Repair it: ${repair}`)),
    ...skip,
  ];
}

on("frame project refreshed", wait);
on("shown", arrive);
on("absent playing", showWords);
