// How masks are coloured: each view turns the ids of a frame, and of frames beside it, into the pixels over the picture.

import { rgbOf } from "./palette.js";

const BLUE = "#2f9bff";
const ORANGE = "#ff8c1a";
const WHITE = packed([255, 255, 255]);
const BLACK = packed([0, 0, 0]);
const SQUARES = [packed([58, 60, 68]), packed([40, 41, 48])];

/** Pack a colour as a pixel of an ImageData. */
export function packed([red, green, blue], alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const fromHex = (hex) => packed(rgbOf(hex));

/** Whether a pixel has another id than one of its four neighbours at a distance. */
function isBorder(ids, at, x, y, { width, height, thick }) {
  const id = ids[at];
  return (
    (x >= thick && ids[at - thick] !== id) || (x < width - thick && ids[at + thick] !== id) ||
    (y >= thick && ids[at - thick * width] !== id) || (y < height - thick && ids[at + thick * width] !== id)
  );
}

/** Pixels that changed since another mask, and a faint outline of what is there now. */
function changes(layer) {
  return (scene) => {
    const { ids, visible } = scene;
    const earlier = scene.layers[layer]?.ids ?? ids;
    const [come, gone] = [fromHex(BLUE), fromHex(ORANGE)];
    return (at, x, y) => {
      const now = visible[ids[at]];
      const then = visible[earlier[at]];
      if (now !== then) return now ? come : gone;
      return now && isBorder(ids, at, x, y, scene) ? scene.edges[now] : 0;
    };
  };
}

function filled(scene) {
  const { ids, fills, edges } = scene;
  return (at, x, y) => (isBorder(ids, at, x, y, scene) ? edges : fills)[ids[at]];
}

function outlines(scene) {
  const { ids, lines } = scene;
  return (at, x, y) => (isBorder(ids, at, x, y, scene) ? lines[ids[at]] : 0);
}

function dimmed(scene) {
  const { ids, object, faint } = scene;
  const bright = filled(scene);
  return (at, x, y) => (ids[at] === object ? bright(at, x, y) : faint[ids[at]]);
}

function cutOut({ ids, visible, width }) {
  const side = Math.max(4, Math.round(width / 80));
  return (at, x, y) => (visible[ids[at]] ? 0 : SQUARES[(Math.floor(x / side) + Math.floor(y / side)) & 1]);
}

const matte = ({ ids, visible }) => (at) => (visible[ids[at]] ? WHITE : BLACK);

function onion(scene) {
  const inside = filled(scene);
  const sheets = [[scene.layers.previous, fromHex(BLUE)], [scene.layers.next, fromHex(ORANGE)]]
    .filter(([layer]) => layer)
    .map(([layer, colour]) => [layer.ids, colour]);
  return (at, x, y) => {
    for (const [ids, colour] of sheets) if (scene.visible[ids[at]] && isBorder(ids, at, x, y, scene)) return colour;
    return scene.ids[at] ? inside(at, x, y) : 0;
  };
}

/**
 * The views by name. `layers` are the other masks that a view needs, `everywhere` says that it colours the background of
 * the whole frame, `legend` explains its colours.
 */
export const VIEWS = {
  filled: { label: "Filled", painter: filled },
  outlines: { label: "Outlines", painter: outlines },
  dimmed: { label: "Others dimmed", painter: dimmed },
  cutout: { label: "Cut-out", painter: cutOut, everywhere: true },
  matte: { label: "Matte", painter: matte, everywhere: true },
  difference: {
    label: "Difference", painter: changes("previous"), layers: ["previous"],
    legend: [[BLUE, "new since the frame before"], [ORANGE, "gone"]],
  },
  correction: {
    label: "Correction", painter: changes("uncorrected"), layers: ["uncorrected"],
    legend: [[BLUE, "added by the correction"], [ORANGE, "removed by it"]],
  },
  compared: { // while a version is looked at; not in the menu
    painter: changes("then"), layers: ["then"],
    legend: [[BLUE, "now only"], [ORANGE, "then only"]],
  },
  onion: {
    label: "Onion skin", painter: onion, layers: ["previous", "next"],
    legend: [[BLUE, "frame before"], [ORANGE, "frame after"]],
  },
};

/** The colours of all ids: filled, edges, outlines, and faint; ids that are hidden or background have none. */
export function tablesOf({ colours, objects }, opacity) {
  const tables = { visible: new Uint8Array(256) };
  for (const name of ["fills", "edges", "lines", "faint"]) tables[name] = new Uint32Array(256);
  const hidden = new Set(objects.filter((each) => each.hidden).map((each) => each.id));
  const alphas = { fills: opacity, edges: Math.min(1, 2 * opacity), lines: 1, faint: opacity / 4 };
  colours.forEach((colour, id) => {
    if (!id || hidden.has(id)) return;
    tables.visible[id] = id;
    for (const [name, alpha] of Object.entries(alphas)) tables[name][id] = packed(colour, Math.round(255 * alpha));
  });
  return tables;
}

/** Colour a rectangle [x0, x1) x [y0, y1) of a scene; `out` holds its pixels, all transparent. */
export function colour(scene, view, { x0, y0, x1, y1 }, out) {
  const { ids, width, layers } = scene;
  const paint = view.painter(scene);
  const others = view.everywhere || Object.values(layers).some(Boolean);
  for (let y = y0, to = 0; y < y1; y++) {
    for (let x = x0, at = y * width + x0; x < x1; x++, at++, to++) {
      if (ids[at] || others) out[to] = paint(at, x, y);
    }
  }
}
