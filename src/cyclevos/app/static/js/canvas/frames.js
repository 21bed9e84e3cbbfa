// The video's frames as pictures: fetched when needed or slightly earlier; some are kept.

import * as api from "../page/api.js";
import { on, store, whyUnreadable } from "../page/store.js";

const ROOM = 160 * 2 ** 20; // bytes of decoded pictures
const LEAST = 4; // pictures that are kept, however large
const pictures = new Map(); // key of index and width -> {index, bytes, promise of an ImageBitmap}

const keyOf = (index, fit) => `${index}/${fit}`;

/** Return a frame's picture, fetched if needed: as wide as the video, or `fit` pixels, for playing. */
export function picture(index, fit = 0) {
  const key = keyOf(index, pictures.has(keyOf(index, 0)) ? 0 : fit);
  const wanted = pictures.get(key) ?? asked(index, fit, key);
  pictures.delete(key); // the last used is the last to go
  pictures.set(key, wanted);
  makeRoom();
  return wanted.promise;
}

function asked(index, fit, key) {
  const { id, width, height } = store.project;
  const promise = api.fetchBitmap(api.fitted(`/projects/${id}/frames/${index}`, fit));
  const wanted = { index, bytes: 4 * width * height * (fit ? (fit / width) ** 2 : 1), promise };
  promise.catch(() => pictures.get(key) === wanted && pictures.delete(key));
  return wanted;
}

/** Fetch the frames on either side, the one ahead first. */
export async function prefetch(index, step) {
  for (const near of [index + step, index + 2 * step, index - step]) {
    if (near < 0 || near >= store.project.frames || pictures.has(keyOf(near, 0)) || whyUnreadable(near)) continue;
    await picture(near).catch(() => {});
    if (store.frame !== index || store.playing) return;
  }
}

function makeRoom() {
  let held = 0;
  for (const { bytes } of pictures.values()) held += bytes;
  for (const [key, { index, bytes }] of pictures) {
    if (held <= ROOM || pictures.size <= LEAST) return;
    if (index === store.frame) continue;
    pictures.delete(key);
    held -= bytes;
  }
}

on("project", () => pictures.clear());
on("refreshed", () => {
  for (const [key, { index }] of pictures) if (whyUnreadable(index)) pictures.delete(key); // it was not known before
});
