// Builds elements. Every text goes through text nodes: nothing that a client sent becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.setAttribute("class", value);
    else if (name === "value" && "value" in node) node.value = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

export function append(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

export function replace(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

// Control characters and those that change the direction of text are shown, not obeyed.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export function visible(text) {
  return String(text ?? "").replace(HIDDEN, (c) => {
    const code = c.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

// In one line: tabs and line ends are shown, too.
export const line = (text) => visible(text).replace(/[\t\n]/g, (c) => (c === "\t" ? "␉" : "␊"));

export function button(label, onclick, props = {}) {
  return h("button", { type: "button", onclick, ...props }, label);
}

const ICONS = {
  copy: "M8 8V5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-3M5 8h9a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2Z",
  check: "m4 12 6 6L20 6",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12Zm10 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  close: "M5 5l14 14M19 5 5 19",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  pause: "M8 5v14M16 5v14",
  play: "M7 4v16l13-8Z",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  theme: "M12 3v18M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 4.5h6M12 12h8.5M12 16.5h6",
  link: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  snow: "M12 2v20M4 7l16 10M20 7 4 17",
};

export function icon(name) {
  const path = s("path", { d: ICONS[name] });
  return s("svg", { viewBox: "0 0 24 24", class: `icon ${name}`, "aria-hidden": "true" }, path);
}

export function iconButton(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

let live;
export function toast(text, kind = "info", ...more) {
  if (!live) document.body.append((live = h("div", { id: "toasts", role: "status", "aria-live": "polite" })));
  const box = h("div", { class: `toast ${kind}` }, visible(text), more);
  for (const old of [...live.children]) if (old.matches(".error") || (more.length && old.querySelector("a")) || old.textContent === box.textContent) old.remove();
  live.append(box);
  while (live.children.length > 3) live.firstChild.remove();
  setTimeout(() => box.remove(), kind === "error" ? 9000 : 3500);
}

// Toasts of another panel are outdated.
export const clearToasts = () => live?.replaceChildren();

export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    const area = h("textarea", { class: "copied", "aria-label": "Text to copy" });
    area.value = text;
    dialog("Copy this text", area, []);
    area.select();
  }
}

export function copyButton(text, label = "Copy") {
  return iconButton("copy", label, () => copy(typeof text === "function" ? text() : text));
}

// A dialog with a form; returns it. `actions` are [label, handler, class]; a handler that
// returns false keeps it open.
export function dialog(title, content, actions) {
  const box = h("dialog", { class: "dialog", "aria-label": title });
  const before = document.activeElement;
  const close = () => { box.close(); box.remove(); refocus(before); };
  const run = async (handler) => {
    for (const control of box.querySelectorAll("[aria-invalid]")) complain(control, "");
    try {
      if ((await handler?.()) !== false) close();
    } catch (error) {
      const member = error.body?.at?.match(/(\w+)\W*$/)?.[1];
      const inputs = [...box.querySelectorAll(".dialog-body :is(input, select, textarea):not([readonly])")];
      const control = inputs.find((c) => c.dataset.member === member) ?? inputs[0];
      if (!control) return toast(error.message, "error");
      complain(control, error.plain ?? error.message);
      control.focus();
    }
    return undefined;
  };
  const buttons = actions.map(([label, handler, kind], n) =>
    h("button", { type: n === 0 ? "submit" : "button", class: kind || "primary", onclick: n === 0 ? undefined : () => run(handler) }, label));
  const form = h("form", { onsubmit: (event) => { event.preventDefault(); if (actions.length) run(actions[0][1]); else close(); } },
    h("header", {}, h("h2", {}, title), iconButton("close", "Close", close)),
    h("div", { class: "dialog-body" }, content),
    h("footer", {}, button("Cancel", close), buttons.reverse()));
  box.append(form);
  box.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  document.body.append(box);
  box.showModal();
  (box.querySelector(".dialog-body :is(input, select, textarea):not([readonly])") ?? box.querySelector("footer button"))?.focus();
  return box;
}

// To the button that opened a dialog, or the one that has been drawn in its place.
function refocus(before) {
  const label = before?.getAttribute("aria-label");
  const again = before?.isConnected ? before : label && document.querySelector(`[aria-label="${CSS.escape(label)}"]`);
  if (again) again.focus();
}

// Shows at a control what is wrong with its value, until it is changed; "" takes it away.
export function complain(control, text) {
  control.complaint?.remove();
  control.removeAttribute("aria-invalid");
  if (!text) return;
  control.complaint = h("small", { class: "complaint", role: "alert" }, visible(text));
  control.after(control.complaint);
  control.setAttribute("aria-invalid", "true");
  control.addEventListener("input", () => complain(control, ""), { once: true });
}

let fields = 0;
export function field(label, control, hint) {
  const id = control.id || (control.id = `field-${++fields}`);
  const about = hint ? h("small", { id: `${id}-hint` }, hint) : null;
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  control.dataset.member ??= label.toLowerCase();
  return h("div", { class: "field" }, h("label", { for: id }, label), control, about);
}

export function select(options, value, onchange, props = {}) {
  const node = h("select", { ...props }, options.map((option) => {
    const [key, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value: key }, text);
  }));
  if (value !== undefined) node.value = value;
  if (onchange) node.addEventListener("change", () => onchange(node.value));
  return node;
}

export function badge(status, reason) {
  const kind = reason || status >= 400 ? (status >= 500 ? "bad" : "refused") : "ok";
  return h("span", { class: `badge ${kind}` }, status || "-");
}

export function empty(title, text) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), text ? h("p", {}, text) : null);
}

export const time = (text) => /T(\d\d:\d\d:\d\d(?:\.\d{1,3})?)/.exec(text)?.[1].padEnd(12, text.includes(".") ? "0" : "") ?? text;

// Of microseconds since the epoch.
export const clockTime = (microseconds) => new Date(microseconds / 1000).toISOString().slice(11, 23);

export function duration(microseconds) {
  if (microseconds < 1000) return `${microseconds} µs`;
  if (microseconds < 1e6) return `${(microseconds / 1000).toFixed(microseconds < 10000 ? 1 : 0)} ms`;
  return `${(microseconds / 1e6).toFixed(1)} s`;
}

export function span(seconds) {
  const sign = seconds < 0 ? "-" : "";
  let rest = Math.abs(seconds);
  if (rest < 10) return `${sign}${rest.toFixed(1)} s`;
  rest = Math.round(rest);
  if (rest < 60) return `${sign}${rest} s`;
  if (rest < 3600) return `${sign}${Math.floor(rest / 60)} min ${rest % 60} s`;
  if (rest < 172800) return `${sign}${Math.floor(rest / 3600)} h ${Math.floor((rest % 3600) / 60)} min`;
  return `${sign}${Math.floor(rest / 86400)} days`;
}
