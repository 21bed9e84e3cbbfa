// Colours for the colour-blind: thirty that are far from each other in OKLab as they are, and as people without red cones
// and without green cones see them.

const SAFE_COLOURS = [
  "#f4511e", "#1e00f0", "#d2ffff", "#5a002d", "#6996d2", "#ffff00", "#784b78", "#e1c378", "#873c00", "#4be1ff",
  "#691e78", "#5a5ab4", "#a58778", "#c3a578", "#f0ffa5", "#785aff", "#5a00b4", "#966996", "#00c3ff", "#781e4b",
  "#4b005a", "#e1a50f", "#e1e1c3", "#f0d20f", "#c3c3b4", "#691e0f", "#a54b3c", "#7887ff", "#b4a5c3", "#5a78d2",
];

/** Red, green and blue of a colour such as "#f4511e", 0 to 255 each. */
export const rgbOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** A palette whose first objects have these colours. */
export function withSafeColours(palette) {
  return [palette[0], ...SAFE_COLOURS, ...palette.slice(SAFE_COLOURS.length + 1)];
}
