// Jobs that this page asks for, and how every job ends. A short one may end before the request for it is answered; its
// end is told after that answer, so that whoever asked knows the job by then.

import * as api from "./api.js";
import { emit, on, store } from "./store.js";

const untold = []; // jobs that have ended while a request for one was on its way
const awaited = new Map(); // id -> {job, resolve} of those that somebody here waits for
let asking = 0; // requests for jobs that are on their way

/** Whether a job waits or works. */
export const isActive = ({ status }) => status === "queued" || status === "running";

/** Ask for a job. When it ends, "ended" is told with its last state, as for every job of the project. */
export async function begin(ask) {
  asking += 1;
  try {
    return await ask();
  } finally {
    asking -= 1;
    setTimeout(tell); // whoever asked goes on first
  }
}

/** Ask for a job and wait for its end; resolves to its last state. */
export async function finished(ask) {
  const job = await begin(ask);
  return new Promise((resolve) => awaited.set(job.id, { job, resolve }));
}

function tell() {
  if (asking) return;
  for (const job of untold.splice(0)) {
    awaited.get(job.id)?.resolve(job);
    awaited.delete(job.id);
    emit("ended", job);
  }
}

function hear(job) {
  if (isActive(job)) return;
  untold.push(job);
  tell();
}

/** The news of an end may be lost with the connection: ask about jobs that the project's state no longer names. */
async function askAfterLost() {
  const { order, jobs = [] } = store.project;
  for (const [id, { job }] of awaited) {
    if (job.order > order || jobs.some((each) => each.id === id)) continue;
    const state = await api.get(`/jobs/${id}`).catch(({ status }) => (status === 404 ? { ...job, status: "cancelled" } : job));
    if (awaited.has(id)) hear(state);
  }
}

on("job", hear);
on("refreshed", askAfterLost);
