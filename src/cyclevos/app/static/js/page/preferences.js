// What a person likes this page to be, in every project: kept by the browser, not by the project.

import { emit, set, store } from "./store.js";
import { $, dialog, el, icon } from "./ui.js";

const CHOICES = [
  ["safeColours", "Colours for the colour-blind", "Objects are shown in thirty colours that can be told apart without red or green cones. Exports keep the project's colours."],
  ["penSize", "A pen's pressure is the size of the brush", "The size that is set is that of full pressure. Mouse and fingers paint at this size as ever."],
];
const keyOf = (name) => `cyclevos-${name}`;

function choose(name, value) {
  localStorage.setItem(keyOf(name), value);
  set({ [name]: value });
}

function openPreferences() {
  const boxes = CHOICES.map(([name, label, words]) => {
    const box = el("input", { type: "checkbox", id: `prefer-${name}`, onchange: ({ target }) => choose(name, target.checked) });
    box.checked = store[name];
    return el("label", {}, box, el("span", {}, label), el("span.quiet", {}, words));
  });
  return dialog("Preferences", [el("div.choices", {}, ...boxes)], [{ label: "Close", primary: true }]);
}

for (const [name] of CHOICES) set({ [name]: localStorage.getItem(keyOf(name)) === "true" });
$("preferences").append(icon("preferences"));
$("preferences").addEventListener("click", () => {
  const { safeColours } = store;
  openPreferences().then(() => safeColours !== store.safeColours && emit("reload"));
});
