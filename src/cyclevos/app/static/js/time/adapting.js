// Adapting the network to the video: what it costs, which network tracks, and how to compare what comes of it.

import * as api from "../page/api.js";
import { attempt, toast } from "../page/messages.js";
import { on, store } from "../page/store.js";
import { $, counted, el } from "../page/ui.js";
import { strokesSaved } from "../painting/saving.js";
import { isAdapting, track } from "./track.js";

const COST = "Takes as long as tracking about 60 frames."; // ten steps and the guard, docs/adapt.md
const COMPARE = "track again and compare in History (H).";

let shown = ""; // what the buttons are for now: they stay while nothing changes, so that a click meets the button it was for

async function start() {
  await attempt(async () => {
    await strokesSaved(); // what was painted last counts as well
    await api.call("POST", `/projects/${store.project.id}/adapt`);
  });
}

async function use(adapted) {
  const { project } = store;
  const saved = await attempt(() => api.call("PATCH", `/projects/${project.id}`, { adapted }));
  if (saved) project.adapted = saved.adapted;
  show();
}

/** How many frames have been marked since the network was adapted, or with other objects than then. */
function markedSince({ marks, adaptation }) {
  const isNew = ([index, { objects }]) => objects.some((id) => !adaptation.objects[index]?.includes(id));
  return Object.entries(marks).filter(isNew).length;
}

function words({ adapted, adaptation, marks }) {
  if (isAdapting()) return "Tracking waits until the network is adapted.";
  if (adapted && !adaptation) return "The adapted weights are gone: use the network as it was.";
  if (!adaptation) return `${COST} Then ${COMPARE}`;
  if (!adapted) return "Tracking uses the network as it was.";
  const since = markedSince({ marks, adaptation });
  const more = since ? ` ${counted(since, "frame")} marked since.` : "";
  return `Tracking uses the network adapted in ${counted(adaptation.steps, "step")} (experimental).${more} To see what changes, ${COMPARE}`;
}

function show() {
  const { project } = store;
  if (!project) return;
  const { adapted, adaptation } = project;
  const said = words(project);
  if ($("adapt-says").textContent !== said) $("adapt-says").textContent = said;
  $("adapted-says").hidden = !adapted;
  const wanted = JSON.stringify([project.id, adapted, adaptation, isAdapting()]);
  if (wanted === shown) return;
  shown = wanted;
  const button = (id, label, act, title) => el("button.button.small", { id, type: "button", title, onclick: act }, label);
  const learn = button("adapt-start", !adaptation ? "Adapt to this video" : adapted ? "Adapt further" : "Adapt anew", start,
    "The network learns from your masks in this video's frames, in ten steps. It helps on some videos and harms on others");
  learn.disabled = isAdapting();
  const choice = adapted
    ? [button("adapt-before", "Use the network as it was", () => use(false), "Track with the network without what it learned from this video")]
    : adaptation ? [button("adapt-after", "Use the adapted network", () => use(true), "Track with what the network learned from this video")] : [];
  const focused = document.activeElement?.id;
  $("adapt-buttons").replaceChildren(learn, ...choice, ...(choice.length ? [] : [el("span.quiet", {}, "experimental")]));
  if (focused?.startsWith("adapt-")) (document.getElementById(focused) ?? learn).focus();
}

on("ended", (job) => {
  if (job.kind !== "adapt") return;
  const { loss_before: before, loss_after: after } = job.result;
  const again = { label: "Track forward", act: () => track("forward") };
  if (job.status === "done") toast(`Adapted; its loss went from ${before?.toFixed(2)} to ${after?.toFixed(2)}, which does not say that masks are better. Track again and compare.`, again);
  if (job.status === "cancelled") toast("Stopped. The network stays as it was.");
});
on("project refreshed frames job", show);
