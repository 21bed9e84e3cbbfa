// The video's frames as pictures: fetched when needed or slightly earlier; some are kept.

import * as api from "../page/api.js";
import { on, store, whyUnreadable } from "../page/store.js";

const ROOM = 160 * 2 ** 20; // bytes of decoded pictures
const pictures = new Map(); // index -> promise of an ImageBitmap

/** Return a frame's picture, fetched if needed. */
export function picture(index) {
  let wanted = pictures.get(index);
  if (wanted) {
    pictures.delete(index); // the last used is the last to go
  } else {
    wanted = api.fetchBitmap(`/projects/${store.project.id}/frames/${index}`);
    wanted.catch(() => pictures.delete(index));
  }
  pictures.set(index, wanted);
  makeRoom();
  return wanted;
}

/** Fetch the frames on either side, the one ahead first. */
export async function prefetch(index, step) {
  for (const near of [index + step, index + 2 * step, index - step]) {
    if (near < 0 || near >= store.project.frames || pictures.has(near) || whyUnreadable(near)) continue;
    await picture(near).catch(() => {});
    if (store.frame !== index) return;
  }
}

function makeRoom() {
  const { width, height } = store.project;
  const kept = Math.max(4, Math.floor(ROOM / (4 * width * height)));
  for (const index of pictures.keys()) {
    if (pictures.size <= kept) return;
    if (index !== store.frame) pictures.delete(index);
  }
}

on("project", () => pictures.clear());
on("refreshed", () => {
  for (const index of Object.keys(store.project.unreadable)) pictures.delete(Number(index)); // it was not known before
});
