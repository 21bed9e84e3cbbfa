// A click on a piece of a mask, while one is asked for: with any tool, which the click does not reach.

import { toast } from "../page/messages.js";
import { set, store } from "../page/store.js";
import { $ } from "../page/ui.js";
import * as view from "../canvas/view.js";

/** Call take({frame, x, y}, id) for a click on a piece of an object, while isWanted() holds. */
export function pickPieces(isWanted, take) {
  $("canvas-box").addEventListener("pointerdown", (event) => {
    if (event.button || event.target !== view.canvas || !isWanted()) return;
    const at = view.imagePoint(event);
    const { width, height } = store.project;
    if (at.x < 0 || at.y < 0 || at.x >= width || at.y >= height || view.shown?.frame !== store.frame) return;
    event.stopPropagation();
    event.preventDefault();
    set({ playing: false }); // a piece of a moving mask cannot be meant
    if (!view.isExact()) {
      toast(`Frame ${store.frame} is being fetched. Click once it is here.`);
      return;
    }
    const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
    const id = view.shown.ids[y * width + x];
    if (id) take({ frame: store.frame, x, y }, id);
    else toast("There is no object at this place. Click a piece of an object.");
  }, true);
}
