// What the signs of the strip mean: those that are on it beside its switch, and all of them behind the button "Legend".

import { hasIsland } from "./islands.js";
import { waiting } from "./review.js";
import { qualityColours, qualityLeast } from "../page/quality.js";
import { on, set, store } from "../page/store.js";
import { $, el, pressed } from "../page/ui.js";

const QUALITY = ["good", "fair", "weak", "poor"];
const OVERLAP = ["as now", "close", "apart", "far apart"];
const percent = (value) => `${Math.round(100 * value)} %`;

/** From where to where a class of quality goes, in words. */
function span(k) {
  const least = qualityLeast();
  if (!k) return `${percent(least[0])} or more`;
  return least[k] ? `${percent(least[k])} to ${percent(least[k - 1])}` : `below ${percent(least[k - 1])}`;
}

const isUncalibrated = ([reliability, , calibrated]) => calibrated === false && Object.keys(reliability).length > 0;
const results = () => Object.entries(store.project.results);
const marks = () => Object.values(store.project.marks);

const hasIslands = () =>
  results().some(([index, [, , , islands]]) => Object.keys(islands ?? {}).some((id) => hasIsland(index, Number(id))));

// Signs above the rows, then in them: the class of the sample, in a word, in a sentence, and whether the strip has it now.
const FRAMES = [
  {
    kind: "review", word: () => (store.look ? "differs" : "to review"), isThere: () => waiting().length > 0,
    means: "A frame worth checking; while you look at a version, one that differs most from now",
  },
  {
    kind: "hatched", word: () => "unreadable", isThere: () => Object.keys(store.project.unreadable).length > 0,
    means: "The frame cannot be read; the tooltip says why",
  },
  {
    kind: "accepted", word: () => "accepted", isThere: () => marks().some(({ accepted }) => accepted),
    means: "You accepted the frame: tracking no longer changes it",
  },
  {
    kind: "by-hand", word: () => "painted", isThere: () => marks().some(({ accepted }) => !accepted),
    means: "You painted in the frame",
  },
  { kind: "tracked", word: () => "tracked", isThere: () => store.project.trackedSet.size > 0, means: "The frame has tracked masks" },
];
const ROWS = [
  { kind: "by-hand", word: () => "by hand", isThere: () => marks().length > 0, means: "The object was painted or accepted there" },
  { kind: "island", word: () => "island", isThere: hasIslands, means: "An island: a piece of the object that lies away from the rest (Shift+K)" },
  { kind: "gone", word: () => "gone", isThere: () => store.project.absences.length > 0, means: "You said that the object is not there (G)" },
];

const sample = ({ kind, word, means }) => el("span", { title: means }, el(`i.${kind}`, { "aria-hidden": "true" }), word());

/** The colour of a class of quality. */
function swatch(k) {
  const box = el("i", { "aria-hidden": "true" });
  box.style.background = qualityColours[k];
  return box;
}

const classSample = (k, text, title) => el("span", { title }, swatch(k), text);

/** What the colours or heights of the rows mean. */
function rows() {
  if (store.side === "difference") {
    return [el("span", {}, "Overlap of then and now:"), ...OVERLAP.map((text, k) => classSample(k, text, `J ${span(k)}`))];
  }
  if (store.rows === "presence") return [el("span", {}, "taller = larger")];
  return QUALITY.map((text, k) => classSample(k, text, `Reliability ${span(k)}`));
}

function uncalibrated() {
  if (store.rows !== "quality" || !results().some(([, result]) => isUncalibrated(result))) return [];
  const title = "No predictor was fitted to this network: the order of the frames is informative, the values less so.";
  return [el("span.uncalibrated", { title }, "uncalibrated")];
}

let asked = 0;

function showLegend() {
  asked = 0;
  if (!store.project) return;
  const all = [FRAMES.slice(0, 2), ROWS, FRAMES.slice(2)].flat(); // the least obvious first: there may be no room for all
  const present = all.filter(({ kind, isThere }, k) => isThere() && all.findIndex((each) => each.kind === kind) === k);
  $("legend").replaceChildren(...rows(), ...uncalibrated(), ...present.map(sample));
  pressed($("rows-quality"), store.rows === "quality");
  pressed($("rows-presence"), store.rows === "presence");
}

/** All signs, in words. */
function fillSigns() {
  const line = ({ kind, means }) => el("p", {}, el(`i.${kind}`, { "aria-hidden": "true" }), means);
  const colour = (text, k) => el("p", {}, swatch(k), `${text[0].toUpperCase()}${text.slice(1)}: reliability ${span(k)}`);
  $("signs").replaceChildren(
    el("fieldset", {}, el("legend", {}, "Above the rows: frames"), ...FRAMES.map(line)),
    el("fieldset", {}, el("legend", {}, "Rows: objects, by quality"), ...QUALITY.map(colour), ...ROWS.map(line)),
    el("fieldset", {}, el("legend", {}, "Rows: objects, by presence"), el("p", {}, "The taller, the larger the object is in the frame")),
  );
}

/** Soon, once, however many frames change. */
function showSoon() {
  asked ||= requestAnimationFrame(showLegend);
}

for (const name of ["quality", "presence"]) $(`rows-${name}`).addEventListener("click", () => set({ rows: name }));
$("signs").addEventListener("beforetoggle", ({ newState }) => newState === "open" && fillSigns());
on("rows theme refreshed absences side frames review look project compared", showSoon);
