// Whether everything is saved, and if not: why, what to do, and that nothing is lost.

import * as api from "./api.js";
import { on } from "./store.js";
import { $, el, prose } from "./ui.js";
import { retry } from "../painting/saving.js";

function show({ strokes, isSaved, unreachable, failure }) {
  const box = $("saved");
  box.classList.toggle("waiting", unreachable || Boolean(failure));
  const said = unreachable ? "The app does not answer. Nothing is lost: your changes are saved when it is back"
    : failure ? "Not saved"
    : isSaved ? "All saved" : "Saving…";
  if (box.textContent !== said) box.textContent = said;
  showBar(failure, strokes);
}

function showBar(failure, count) {
  const bar = $("not-saved");
  bar.hidden = !failure;
  if (!failure) return;
  const strokes = `${count} ${count === 1 ? "stroke is" : "strokes are"} on this page only.`;
  const remedy = failure instanceof api.Unreachable ? "Start the app again." : failure.remedy;
  const said = `${failure.message} ${remedy} ${strokes} The page tries again by itself; do not close it.`;
  if (bar.dataset.said === said) return;
  bar.dataset.said = said;
  bar.replaceChildren(
    el("strong", {}, "Not saved"), el("span.grow", {}, ...prose(said)),
    el("button.button.small", { type: "button", onclick: retry }, "Try now"),
  );
}

on("saved", show);
