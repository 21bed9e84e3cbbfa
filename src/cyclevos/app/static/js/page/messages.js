// Messages that go by themselves: one is shown at a time, with what can be done about it.

import { $, el, icon, prose } from "./ui.js";

const MOST_TOASTS = 3;
const SHOWN = { usual: 5000, action: 10_000, error: 12_000 }; // milliseconds
let messages = []; // {box, count, hold} each, in the order in which they came

/**
 * Show a message for a while, with its remedy if it is an error, and a button if something can be done about it, {label, act}.
 * It stays as long as the pointer or the focus is on it. Returns what closes it.
 */
export function toast(message, action = null) {
  const isError = message instanceof Error;
  const words = [el("p", {}, ...prose(isError ? message.message : message))];
  if (isError && message.remedy) words.push(el("p", {}, ...prose(message.remedy)));
  const close = () => {
    const hadFocus = box.contains(document.activeElement);
    box.remove();
    showOne();
    if (hadFocus) $("canvas").focus({ preventScroll: true });
  };
  const acting = action ? [el("button.button.small", { type: "button", onclick: () => action.act(close()) }, action.label)] : [];
  const dismiss = el("button.icon-button", { type: "button", "aria-label": "Dismiss", title: "Dismiss", onclick: close }, icon("close"));
  const box = el(isError ? "div.toast.error" : "div.toast", {}, el("div.grow", {}, ...words), ...acting, dismiss);
  for (const same of messages) if (same.box.textContent === box.textContent) same.box.remove();
  messages = messages.filter(isOpen);
  if (messages.length >= MOST_TOASTS) messages[0].box.remove();
  $("toasts").querySelector(isError ? "[role=alert]" : "[role=status]").append(box);
  messages.push({ box, ...fading(box, close, isError ? SHOWN.error : action ? SHOWN.action : SHOWN.usual) });
  showOne();
  return close;
}

/** Show the message that the pointer or the focus is on, or else the last one; those that wait lose no time. */
function showOne() {
  messages = messages.filter(isOpen);
  const shown = messages.find(isHeld) ?? messages.at(-1);
  for (const each of messages) {
    each.box.hidden = each !== shown;
    if (each === shown && messages.length > 1) each.box.dataset.waiting = messages.length - 1;
    else delete each.box.dataset.waiting;
    if (each !== shown || isHeld(each)) each.hold();
    else each.count();
  }
}

const isOpen = ({ box }) => box.isConnected;

/** Whether a person went to the message: a pointer that only happens to lie where it came up does not count. */
const isHeld = ({ box }) => box.matches(".visited:hover, :focus-within");

/** The time after which a message closes: it is counted from the moment on at which it is shown, or let go. */
function fading(box, close, milliseconds) {
  let timer = 0;
  const hold = () => {
    clearTimeout(timer);
    timer = 0;
  };
  box.addEventListener("pointermove", () => {
    box.classList.add("visited");
    hold();
  });
  box.addEventListener("focusin", hold);
  for (const event of ["pointerleave", "focusout"]) box.addEventListener(event, () => setTimeout(showOne)); // the focus has moved by then
  return { hold, count: () => (timer ||= setTimeout(close, milliseconds)) };
}

/** Run something that may be refused; show the refusal. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error);
    return undefined;
  }
}
