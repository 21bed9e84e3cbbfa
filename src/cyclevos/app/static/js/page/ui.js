// Small things that all views share: elements, icons, words, dialogs.

export const $ = (id) => document.getElementById(id);

/** Make an element: el("button.small", {type: "button"}, "Text", child). */
export function el(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const PATHS = {
  home: "M4 11l8-7 8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z",
  history: "M4.500 7.500V4M4.500 7.500H8M4.600 7.500a8.500 8.500 0 1 1-1 5.500M12 7.500V12l3.500 2",
  help: "M9.2 9a3 3 0 1 1 4.3 2.7c-1 .5-1.5 1.100-1.500 2.300M12 17.500v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  preferences: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  theme: "M20 14.500A8 8 0 1 1 9.500 4a6.500 6.500 0 0 0 10.500 10.500z",
  pan: "M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  brush: "M20 4c-3 1-8 5.500-10.500 9l2 2C15 12.500 19.500 7 20 4zM9 14c-2 .3-3 1.500-3.300 3.200-.2 1-.9 1.700-2 2 2.800 1.500 6.300.6 6.900-2.200.200-1.200-.500-2.400-1.600-3z",
  eraser: "M8 19h12M5.500 14.500l8.500-9a1.500 1.500 0 0 1 2.200 0l3.800 3.700a1.500 1.500 0 0 1 0 2.100L13 19H9l-3.500-3a1.100 1.100 0 0 1 0-1.500zM9.500 10.500l5.500 5.500",
  polygon: "M12 4l8 6-3 9H7l-3-9zM12 4h.01M20 10h.01M17 19h.01M7 19h.01M4 10h.01",
  point: "M5 4l5.500 14 2.300-5.700 5.700-2.300zM18 15v6M15 18h6",
  fill: "M11 4l7.500 7.500-7 7a1.500 1.500 0 0 1-2 0L4.500 13.500a1.500 1.500 0 0 1 0-2zM5 12.500h12.500M20.500 15c1 1.500 1.500 2.300 1.500 3a1.600 1.600 0 0 1-3.200 0c0-.7.600-1.500 1.700-3z",
  undo: "M8 5L4 9l4 4M4 9h10a5.500 5.500 0 0 1 0 11h-3",
  redo: "M16 5l4 4-4 4M20 9H10a5.500 5.500 0 0 0 0 11h3",
  first: "M6 5v14M19 5.500L9.500 12l9.500 6.500z",
  previous: "M16 5.500L7 12l9 6.500z",
  next: "M8 5.500l9 6.500-9 6.500z",
  last: "M18 5v14M5 5.500l9.500 6.500L5 18.500z",
  play: "M7 4.500v15l12-7.500z",
  pause: "M8 5v14M16 5v14",
  loop: "M17 4l3 3-3 3M20 7H8a4 4 0 0 0-4 4M7 20l-3-3 3-3M4 17h12a4 4 0 0 0 4-4",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 14.800a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600z",
  hidden: "M4 4l16 16M10 5.800A9 9 0 0 1 12 5.500c6 0 9.500 6.500 9.500 6.500a17 17 0 0 1-2.800 3.500M6 7.500A16 16 0 0 0 2.500 12S6 18.500 12 18.500a9 9 0 0 0 4-.9M10 10a2.800 2.800 0 0 0 4 4",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  unlocked: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 6.800-1.200",
  delete: "M5 7h14M10 7V4.500h4V7M7 7l.8 13h8.400L17 7M10.500 11v5M13.500 11v5",
  folder: "M3.500 6.500a1 1 0 0 1 1-1H9l2 2.500h8.500a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-15a1 1 0 0 1-1-1z",
  close: "M6 6l12 12M18 6L6 18",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  video: "M4 5.500h16v13H4zM10 9.500v5l4.500-2.500z",
};

/** Text with what stands between backticks, such as a command, as code. */
export const prose = (text) => text.split("`").map((part, k) => (k % 2 ? el("code", {}, part) : part));

/** What went wrong and what to do about it: of an error, or of a problem as the server tells it. */
export const explained = ({ message, problem = message, remedy = "" }) => prose(`${problem} ${remedy}`);

const english = new Intl.NumberFormat("en");

/** A number of things in words: counted(2, "frame") is "2 frames". */
export const counted = (count, noun) => `${english.format(count)} ${noun}${count === 1 ? "" : "s"}`;

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Give a list its items; where it has just these, none is taken out, so that what is open or has the focus stays. */
export function setItems(list, items) {
  if (items.length !== list.children.length || items.some((item, at) => item !== list.children[at])) list.replaceChildren(...items);
}

/** Open the dialog with a title and content; resolves to the pressed action's value, undefined if it is closed. */
export function dialog(title, content, actions, { wide } = {}) {
  const box = $("dialog");
  return new Promise((resolve) => {
    let answer;
    const buttons = actions.map(({ label, value, primary, danger }) =>
      el(`button.button${primary ? ".primary" : ""}${danger ? ".danger" : ""}`, {
        type: "button",
        onclick: () => {
          answer = typeof value === "function" ? value() : value;
          box.close();
        },
      }, label));
    box.replaceChildren(el("h2", { id: "dialog-title" }, title), ...content, el("div.actions", {}, ...buttons));
    box.onclose = () => {
      if (document.activeElement === document.body) $("canvas").focus({ preventScroll: true }); // what opened it is gone
      resolve(answer);
    };
    box.classList.toggle("wide", Boolean(wide));
    box.showModal();
    (buttons.find((button) => button.classList.contains("primary")) ?? buttons[0]).focus({ preventScroll: true });
    box.scrollTop = 0; // showing it has focused its first button, which may be the last line
  });
}

/** Close the dialog from within its content. */
export const closeDialog = () => $("dialog").close();

export function pressed(button, value) {
  button.setAttribute("aria-pressed", String(Boolean(value)));
}

/** A colour of the page's style, such as "--ink". */
export const styleColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
