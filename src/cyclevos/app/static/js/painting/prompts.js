// What the tool Point sends: clicks along a path, boxes, and the steps of a session as one request.

import { store } from "../page/store.js";
import { scale } from "../canvas/view.js";

const APART = 14; // CSS pixels between the clicks of a stroke
const MOST = 48; // clicks of a stroke

export const isInside = ({ x, y }) => x >= 0 && y >= 0 && x < store.project.width && y < store.project.height;

/** The box with two corners, in whole pixels of the frame. */
export function boxAround(a, b) {
  const { width, height } = store.project;
  const within = (value, most) => Math.max(0, Math.min(most, Math.round(value)));
  return {
    left: within(Math.min(a.x, b.x), width), top: within(Math.min(a.y, b.y), height),
    right: within(Math.max(a.x, b.x), width), bottom: within(Math.max(a.y, b.y), height),
  };
}

/** Points of a path that lie apart from each other. */
export function spread(path) {
  const gaps = path.slice(1).map((p, k) => Math.hypot(p.x - path[k].x, p.y - path[k].y));
  const apart = Math.max(2, APART / scale(), gaps.reduce((sum, gap) => sum + gap, 0) / MOST);
  const points = [path[0]];
  let gone = 0;
  gaps.forEach((gap, k) => {
    for (let next = apart - gone; next <= gap; next += apart) {
      const share = next / gap;
      points.push({ x: path[k].x + share * (path[k + 1].x - path[k].x), y: path[k].y + share * (path[k + 1].y - path[k].y) });
    }
    gone = (gone + gap) % apart;
  });
  return points;
}

/** Index of the last step that is a box; -1 without one. */
export const lastBox = (steps) => steps.findLastIndex(({ box }) => box);

/** What a request says: the last box, the clicks after it, and the mask that they repair. */
export async function request(steps) {
  const from = lastBox(steps);
  const clicks = steps.slice(from + 1).flatMap(({ points, positive }) => points.map((at) => ({ ...at, positive })));
  const box = steps[from]?.box;
  return {
    points: clicks.map(({ x, y }) => [x, y]),
    labels: clicks.map(({ positive }) => Number(positive)),
    box: box ? [box.left, box.top, box.right, box.bottom] : null,
    mask: await steps.at(-1).mask,
  };
}
