// Words stand in the place of a frame that is not here yet or cannot be read, never the picture of another frame.

import { on, set, store, whyUnreadable } from "../page/store.js";
import { unreadableWords } from "../time/unreadable.js";
import { $ } from "../page/ui.js";
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
  const words = {
    late: `Frame ${frame} is being fetched`,
    failed: `Frame ${frame} could not be fetched. Go to another frame, then back to try again.`,
    unreadable: `${unreadableWords(frame)}.`,
  };
  $("absent").hidden = !absent;
  $("absent").classList.toggle("unreadable", absent === "unreadable");
  $("absent").textContent = absent ? words[absent] : "";
}

on("frame project refreshed", wait);
on("shown", arrive);
on("absent", showWords);
