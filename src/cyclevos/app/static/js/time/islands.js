// Islands: pieces of a mask that lie away from its largest one, as the server counts them in each frame.

import { objectName, seen, store } from "../page/store.js";

/** Whether an object has an island in a frame that no person vouches for. */
export function hasIsland(index, id) {
  const { result, mark } = seen(index);
  return Boolean(result?.[3]?.[id]) && !mark?.accepted && !mark?.objects.includes(id);
}

/** The frames with islands, in order; of one object, or of any that is not hidden. */
export function framesWithIslands(id = null) {
  const { results, objects } = store.project;
  const ids = id === null ? objects.filter(({ hidden }) => !hidden).map((each) => each.id) : [id];
  return Object.keys(results).map(Number).filter((index) => ids.some((each) => hasIsland(index, each))).sort((a, b) => a - b);
}

/** What a frame's islands are, in words; empty where there are none. */
export function islandWords(index) {
  const found = Object.keys(seen(index).result?.[3] ?? {}).map(Number).filter((id) => hasIsland(index, id));
  const names = found.map(objectName);
  return names.length ? `Frame ${index}: a piece of ${names.join(", ")} lies away from the rest` : "";
}
