// The frame that a person was at, of each project: kept by the browser. A reload comes back to this tab's own.

import { on, store } from "./store.js";

const KEY = "cyclevos-places";
const KEPT = 100; // projects

/** What is kept, [id, frame] each, the last visited last. */
function read(storage) {
  try {
    return JSON.parse(storage.getItem(KEY) ?? "[]");
  } catch {
    return []; // somebody else's
  }
}

/** The frame that a project was left at; undefined where it was never open in this browser. */
export function frameOf(id) {
  const places = [...read(localStorage), ...read(sessionStorage)];
  return places.findLast(([each]) => each === id)?.[1];
}

function keep() {
  if (!store.project || store.playing) return;
  const { frame, project: { id } } = store;
  for (const storage of [localStorage, sessionStorage]) {
    const others = read(storage).filter(([each]) => each !== id);
    storage.setItem(KEY, JSON.stringify([...others, [id, frame]].slice(-KEPT)));
  }
}

on("frame playing", keep);
