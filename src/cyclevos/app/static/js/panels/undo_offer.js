// A message of what was done, with a button that undoes it as long as nothing else was done since.

import { attempt, toast } from "../page/messages.js";
import { on } from "../page/store.js";
import * as history from "../painting/history.js";
import { untilSaved } from "../painting/masks.js";

let withdraw = () => {};

/** The number of the last step that is not undone, once everything is saved. */
async function lastStep() {
  await untilSaved();
  return history.lastStep();
}

/** Tell what was done, and offer to undo it. */
export async function tellWithUndo(message) {
  const step = await attempt(lastStep);
  const undo = async () => {
    if ((await lastStep()) === step) await history.undo();
    else toast("Something else was done since. The history (H) goes back to any step.");
  };
  withdraw = toast(message, step === undefined ? null : { label: "Undo", act: () => attempt(undo) });
}

on("stepped", () => withdraw()); // undone or redone by other ways: there is nothing left to offer
