// Qualities from 0 to 1 in classes: the least quality of each class, and its colour.

import { store } from "./store.js";

// From green to red: as seen on light and dark, and apart in brightness too.
export const qualityColours = ["#2f9e63", "#8fb339", "#e0a21b", "#d64541"];

/** The quality from which a mask is good, as the server says: below it, a frame is in doubt. */
export const good = () => store.server.good;

/** The least quality of each class, the best first. */
export const qualityLeast = () => [good(), 0.7, 0.5, 0];

/** Colour of a quality. */
export const qualityColour = (value) => qualityColours[qualityLeast().findIndex((least) => value >= least)] ?? qualityColours.at(-1);

/** A quality as a whole number of percent: rounded down, so that what is below a limit is never shown as the limit itself. */
export const wholePercent = (value) => Math.floor(100 * value + 1e-9);
