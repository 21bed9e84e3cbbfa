// Somebody else's result: masks of all frames as tracked masks, and the reliability of the masks that are there.

import * as api from "../page/api.js";
import * as jobs from "../page/jobs.js";
import { attempt, toast } from "../page/messages.js";
import { emit, on, store } from "../page/store.js";
import { $, counted, dialog, el } from "../page/ui.js";
import { zip } from "../page/zip.js";
import { untilSaved } from "../painting/masks.js";

const MOST_FILES = 65_000; // in an archive of this kind
let sent = null; // what the page imports now: its job, and how to send it again

const base = () => `/projects/${store.project.id}`;

/** Ask for the masks of all frames, and import them. */
async function openImport() {
  const files = el("input", { type: "file", id: "result-files", multiple: true, "aria-describedby": "result-note" });
  const path = el("input", { type: "text", id: "result-path", autocomplete: "off", spellcheck: "false",
    placeholder: store.server.folders[0] ? `for example ${store.server.folders[0]}/masks` : "" });
  const content = [
    el("p", {}, el("label", { for: "result-files" }, "Masks of all frames: a zip, a file, or one picture for each frame")),
    files,
    el("p", {}, el("label", { for: "result-path" }, "Or a file or folder on the app's computer")),
    path,
    el("p.quiet", { id: "result-note" }, "They become the tracked masks of every frame; a frame without a mask shows no "
      + "object. What you painted or accepted stays. Then their reliability is computed, and N goes to the worst."),
  ];
  const values = () => ({ files: [...files.files], path: path.value.trim() });
  const chosen = await dialog("Import the masks of all frames", content, [{ label: "Cancel" }, { label: "Import", value: values, primary: true }]);
  if (!chosen) return;
  if (!chosen.files.length && !chosen.path) toast("Choose files, or give a path.");
  else if (chosen.files.length > MOST_FILES) toast("These are too many files. Pack them into a zip, or give their folder.");
  else await begin(await sender(chosen));
}

/** How to send what was chosen, once as it is and once to be resized. */
async function sender({ files, path }) {
  if (!files.length) return (fit) => api.call("POST", `${base()}/results/open`, { path, fit });
  const alone = files.length === 1;
  const body = alone ? files[0] : await zip(files);
  const name = alone ? files[0].name : `${files.length} files.zip`;
  return (fit) => api.sendResult(store.project.id, body, name, fit);
}

async function begin(send, fit = false) {
  const job = await attempt(async () => {
    await untilSaved();
    return jobs.begin(() => send(fit));
  });
  if (job) sent = { id: job.id, send };
}

async function offerToFit({ problem }, send) {
  const words = [el("p", {}, problem), el("p.quiet", {}, "Resizing gives each pixel the object of the nearest pixel.")];
  const actions = [{ label: "Cancel", value: false }, { label: "Resize them", value: true, primary: true }];
  if (await dialog("The masks have another size", words, actions)) await begin(send, true);
}

function finish(job) {
  if (job.kind !== "import" && job.kind !== "review") return;
  const { send } = sent?.id === job.id ? sent : {};
  if (send) sent = null;
  if (job.status === "failed" && send && job.error.kind === "ResultSizeError") {
    offerToFit(job.error, send);
  } else if (job.status === "done") {
    const { frames, reviewed = frames, passed = "", notes = [] } = job.result;
    const isImport = job.kind === "import";
    const review = `Computed the reliability of ${counted(reviewed, "frame")}.`;
    emit("judged", [isImport && `Imported the masks of ${counted(frames, "frame")}.`, (!isImport || passed) && review, passed, ...notes]);
  } else if (job.status === "cancelled") {
    toast("Stopped. Press \"Compute reliability\" to begin again.");
  }
  emit("reload");
}

$("import-result").addEventListener("click", openImport);
$("review-masks").addEventListener("click", () => attempt(() => api.call("POST", `${base()}/review`)));
on("ended", finish);
