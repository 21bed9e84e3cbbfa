// Edits over a range: the server's job, and what it did in words.

import * as api from "../page/api.js";
import { on } from "../page/store.js";
import { counted } from "../page/ui.js";

const ended = new Map(); // a short job may end before the request for it is answered
let wanted = null; // {id, done} of the job that is waited for

/** What an edit did, in words. */
export function told({ frames, pixels, accepted }, does) {
  const kept = accepted ? ` ${counted(accepted, "accepted frame")} left as ${accepted === 1 ? "it is" : "they are"}.` : "";
  return frames ? `${does} ${counted(pixels, "pixel")} in ${counted(frames, "frame")}.${kept}` : `Nothing to change.${kept}`;
}

/** Start a job and wait for its result; null where it was stopped. */
export async function run(path, wish) {
  ended.clear();
  const job = await api.call("POST", path, wish);
  const over = ended.get(job.id) ?? (await new Promise((resolve) => (wanted = { id: job.id, done: resolve })));
  wanted = null;
  return over.status === "done" ? over.result : null;
}

on("job", (job) => {
  if (job.kind !== "edit" || job.status === "queued" || job.status === "running") return;
  if (wanted?.id === job.id) wanted.done(job);
  else ended.set(job.id, job);
});
