// Masks as playing shows them: as large as they are seen. They are only looked at; whoever paints has the exact ones.

import { on } from "../page/store.js";

const KEPT = 24;
const kept = new Map(); // index -> {fit, promise, mask: {ids, width, height}, once it is here}

/** Return a mask of a width if it is here, without waiting. */
export function peek(index, fit) {
  const known = kept.get(index);
  return known?.fit === fit ? known.mask : undefined;
}

/** Return a mask of a width; `make` fetches it, or makes it from the exact one. */
export async function load(index, fit, make) {
  let known = kept.get(index);
  if (known?.fit !== fit) known = { fit, promise: Promise.resolve(make()), mask: undefined };
  kept.delete(index); // the last used is the last to go
  kept.set(index, known);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  try {
    return (known.mask = await known.promise);
  } catch (error) {
    if (kept.get(index) === known) kept.delete(index);
    throw error;
  }
}

/** Return the ids of an exact mask at a width, by nearest neighbour, as the server reduces it. */
export function reduce(ids, { width, height }, fit) {
  const down = Math.max(1, Math.round((height * fit) / width));
  const out = new Uint8Array(fit * down);
  const columns = Uint32Array.from({ length: fit }, (_, x) => Math.floor(((x + 0.5) * width) / fit));
  for (let y = 0, to = 0; y < down; y++) {
    const from = Math.floor(((y + 0.5) * height) / down) * width;
    for (let x = 0; x < fit; x++, to++) out[to] = ids[from + columns[x]];
  }
  return { ids: out, width: fit, height: down };
}

const forget = (index) => kept.delete(index);

on("frames mask", forget);
on("rebased", ({ frame }) => forget(frame));
on("dropped project playing painted saved", () => kept.clear());
