// One project of the list: its picture, its name, what is in it, and a box to tick it for tracking.

import * as api from "./api.js";
import { counted, el, explained, icon } from "./ui.js";

const clock = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" }); // making one takes milliseconds
const when = (seconds) => clock.format(1000 * seconds);

// Pictures are fetched when they come near the view; loading="lazy" fetches all of them where a page is reloaded.
const nearing = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    nearing.unobserve(target);
    target.dispatchEvent(new Event("near"));
  }
}, { rootMargin: "300px" });

/** How far tracking has come, and what it left to do. */
function tracking({ frames, tracked, doubtful }) {
  if (!tracked) return "not tracked";
  const far = tracked < frames ? `${counted(tracked, "frame")} tracked` : "tracked";
  return `${far} · ${doubtful || "none"} doubtful`;
}

function facts(project) {
  const { frames, width, height, objects, marked, changed } = project;
  return [
    [frames ? counted(frames, "frame") : "", `${width}×${height}`].filter(Boolean).join(" · "),
    [counted(objects, "object"), marked ? `${counted(marked, "frame")} marked` : "no frame marked"].join(" · "),
    tracking(project),
    when(changed),
  ];
}

/** What stands in place of a picture that cannot be had: why, and what to do. */
const reason = (error) => el("span.project-cover.problem", {}, ...explained(error));

/** The picture of a project; if there is none, the server says why, and so does the card. */
function coverOf({ id, cover }) {
  const path = `/projects/${id}/cover`;
  const picture = el("img", { alt: "", decoding: "async" });
  const box = el("span.project-cover", { onnear: () => (picture.src = `/api${path}?${cover}`) }, icon("video"));
  picture.addEventListener("load", () => box.replaceChildren(picture));
  picture.addEventListener("error", async () => {
    try {
      await api.get(path);
    } catch (error) {
      box.replaceWith(reason(error));
    }
  });
  nearing.observe(box);
  return box;
}

/** Make the card; `choose(id, ticked)` and `menu(button)` are told what a person does. */
export function cardOf(project, { choose, menu }) {
  const { id, name, problem, marked } = project;
  const lines = problem ? [] : facts(project);
  const words = el("span.project-words", {}, el("strong", { title: name }, name), ...lines.map((line) => el("span.quiet", {}, line)));
  const body = problem
    ? el("div.project-link", {}, reason(project), words)
    : el("a.project-link", { href: `/?project=${id}` }, coverOf(project), words);
  const more = el("button.icon-button.project-more", {
    type: "button", "aria-label": `More for ${name}`, title: "Rename, duplicate, delete", onclick: () => menu(more),
  }, icon("more"));
  const tick = marked ? [el("label.project-tick", { title: "Track it with others" }, el("input", {
    type: "checkbox", "aria-label": `Tick ${name}`, onchange: ({ target }) => choose(id, target.checked),
  }))] : [];
  return el("li.project", { "data-id": id }, ...tick, body, more);
}
