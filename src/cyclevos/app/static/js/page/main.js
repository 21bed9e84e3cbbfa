// The page begins here: the token, light or dark, and the start page or a project.

import * as api from "./api.js";
import { openProject } from "./editor.js";
import { attempt } from "./messages.js";
import { on, set, store } from "./store.js";
import { $ } from "./ui.js";
import { showWelcome } from "./welcome.js";

const THEME = "cyclevos-theme";

function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  set({ theme });
}

/** The token stands behind the # of the address that the server printed; it is traded for a cookie and taken away. */
async function tradeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  await api.call("POST", "/session", { token });
}

async function start() {
  await tradeToken();
  store.server = await api.get("/server");
  const id = new URLSearchParams(location.search).get("project");
  if (id === null) await showWelcome();
  else {
    try {
      await openProject(id);
    } catch (error) {
      await showWelcome();
      throw error;
    }
  }
}

/** In a project messages stand above the hint, where they cover neither it nor a control. */
on("project", () => $("notices").prepend($("toasts")));

const dark = matchMedia("(prefers-color-scheme: dark)");
chooseTheme(localStorage.getItem(THEME) ?? (dark.matches ? "dark" : "light"));
dark.addEventListener("change", () => localStorage.getItem(THEME) ?? chooseTheme(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  const theme = store.theme === "dark" ? "light" : "dark";
  localStorage.setItem(THEME, theme);
  chooseTheme(theme);
});
attempt(start);
