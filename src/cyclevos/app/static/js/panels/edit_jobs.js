// Edits over a range: the server's job, and what it did in words.

import * as api from "../page/api.js";
import { finished } from "../page/jobs.js";
import { counted } from "../page/ui.js";

/** What an edit did, in words. */
export function told({ frames, pixels, accepted }, does) {
  const kept = accepted ? ` ${counted(accepted, "accepted frame")} left as ${accepted === 1 ? "it is" : "they are"}.` : "";
  return frames ? `${does} ${counted(pixels, "pixel")} in ${counted(frames, "frame")}.${kept}` : `Nothing to change.${kept}`;
}

/** Start a job and wait for its result; null where it was stopped. */
export async function run(path, wish) {
  const { status, result } = await finished(() => api.call("POST", path, wish));
  return status === "done" ? result : null;
}
