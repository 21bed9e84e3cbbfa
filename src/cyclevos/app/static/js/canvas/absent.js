// While the frame that is asked for is not here, words stand in its place, never the picture of another frame.

import { on, set, store } from "../page/store.js";
import { $ } from "../page/ui.js";
import * as view from "./view.js";

const PATIENCE = 250; // milliseconds: shorter waits would flicker
let timer = 0;

/** A frame was asked for: say so if it does not come soon. */
function wait() {
  clearTimeout(timer);
  if (store.absent) set({ absent: "late" });
  timer = setTimeout(() => {
    if (store.project && view.shown?.frame !== store.frame) set({ absent: "late" });
  }, PATIENCE);
  showWords();
}

function arrive() {
  if (view.shown.frame === store.frame) set({ absent: null });
}

function showWords() {
  const { absent, frame } = store;
  $("absent").hidden = !absent;
  $("absent").textContent = absent === "failed"
    ? `Frame ${frame} could not be fetched. Go to another frame, then back to try again.`
    : absent ? `Frame ${frame} is being fetched` : "";
}

on("frame project", wait);
on("shown", arrive);
on("absent", showWords);
