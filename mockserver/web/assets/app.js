// The dashboard: which sandbox, which panel, and what they share.

import { act, call, segment } from "./api.js";
import { Clocks, Time } from "./clock.js";
import { append, button, clearToasts, dialog, empty, field, h, icon, line, replace, select, toast } from "./dom.js";
import { Faults } from "./faults.js";
import { Feed } from "./feed.js";
import { Journal } from "./journal.js";
import { Ledger } from "./ledger.js";
import { Providers } from "./providers.js";
import { Coverage, Limits, Quirks } from "./settings.js";
import { bar, theme } from "./shell.js";
import { Store } from "./store.js";

theme();

const PANELS = [
  ["journal", "Journal", Journal], ["providers", "Providers", Providers], ["time", "Time", Time], ["faults", "Faults", Faults],
  ["limits", "Limits", Limits], ["ledger", "Ledger", Ledger], ["quirks", "Quirks", Quirks], ["coverage", "Coverage", Coverage],
];
const NAME = "Letters, digits and . _ - only, at most 64.";
const STATES = { live: "Live", connecting: "Connecting", lost: "Connection lost", gone: "Sandbox is gone" };

const store = new Store();
const context = {
  store,
  providers: {},
  paths: {},
  path: (rest) => `/sandboxes/${segment(store.sandbox)}${rest}`,
  href: (panel, item) => `#/${segment(store.sandbox)}/${panel}${item ? `/${segment(item)}` : ""}`,
  has: (verb) => `/sandboxes/{id}/${verb}` in context.paths,
  save(name, text) {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = h("a", { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  },
  rewind(n) {
    return act(() => call("POST", context.path("/rewind"), { to: n }), `Rewound to before request ${n}`);
  },
};
context.clocks = new Clocks(context);
store.clocks = context.clocks;

const main = h("main", { id: "main", tabindex: "0", "aria-label": "Panel" });
const title = h("h1", { class: "sr" });
const tabs = Object.fromEntries(PANELS.map(([id, label]) => [id, h("a", {}, h("span", {}, label), h("span", { class: "count" }))]));
const nav = h("nav", { class: "side", "aria-label": "Panels" }, Object.values(tabs), h("div", { class: "rest" }, h("a", { href: "docs" }, "API documents"), h("a", { href: "facts" }, "Facts")));
const chooser = select([], undefined, (id) => go(id), { "aria-label": "Sandbox", class: "mono" });
const state = h("span", { class: "state connecting", role: "status" });
const clock = h("a", { class: "clock-chip mono", title: "The sandbox clock" }, icon("snow"), h("span", {}));
const menu = h("div", { id: "sandbox-menu", popover: "auto", class: "menu", role: "menu" });
const opener = h("button", { type: "button", class: "ghost opener", popovertarget: "sandbox-menu", "aria-label": "Sandbox actions" }, icon("more"), h("span", {}, "Sandbox actions"));
const notice = h("div", { class: "notice", role: "alert", hidden: true });

append(document.body, [
  h("a", { class: "skip", href: "#main", onclick: (e) => { e.preventDefault(); main.focus(); } }, "Skip to the panel"),
  bar(h("div", { class: "sandbox" }, h("span", { class: "caption" }, "Sandbox"), chooser, opener, menu), clock, state),
  nav, notice, main,
]);

const panels = {};
let current;

function place() {
  const [, sandbox, panel, item] = location.hash.split("/");
  return { sandbox: sandbox ? decodeURIComponent(sandbox) : "default", panel: panel in tabs ? panel : "journal", item: item && decodeURIComponent(item) };
}

function go(sandbox, panel = place().panel) {
  location.hash = `#/${segment(sandbox)}/${panel}`;
}

async function show() {
  const { sandbox, panel, item } = place();
  if (sandbox !== store.sandbox || !feed.place) {
    store.choose(sandbox);
    gone(false);
    await context.clocks.load(); // places the rows of the journal in time
    feed.follow(sandbox);
  }
  for (const [id, tab] of Object.entries(tabs)) {
    tab.href = context.href(id);
    if (id === panel) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  clock.href = context.href("time");
  if (![...chooser.options].some((o) => o.value === sandbox)) await sandboxes();
  chooser.value = sandbox;
  const [, label, Kind] = PANELS.find(([id]) => id === panel);
  title.textContent = label;
  document.title = `${label} · ${sandbox} · Fake exchange`;
  panels[panel] ??= new Kind(context);
  current = panel;
  if (main.dataset.panel !== panel) {
    main.dataset.panel = panel;
    replace(main, title, panels[panel].node);
  }
  await panels[panel].show();
  panels[panel].route?.(item);
  tabs[panel].scrollIntoView({ block: "nearest", inline: "nearest" });
}

async function sandboxes() {
  const list = await act(() => call("GET", "/sandboxes"));
  if (!list) return;
  const ids = list.sandboxes.map((box) => box.id);
  const { sandbox } = place();
  if (!ids.includes(sandbox)) ids.push(sandbox);
  if (document.activeElement !== chooser) {
    replace(chooser, ids.slice(0, 500).map((id) => h("option", { value: id }, id)));
    chooser.value = sandbox;
  }
}

function gone(is) {
  notice.hidden = !is;
  if (is) replace(notice, `The sandbox ${store.sandbox} is gone: it was deleted, has expired, or the server has started again. `, button("Go to default", () => go("default")));
}

// What can be done to the sandbox; snapshots where the server has them.

async function create() {
  const [worlds, scenarios] = await Promise.all([call("GET", "/worlds"), call("GET", "/scenarios")]);
  const id = h("input", { type: "text", placeholder: "chosen by the server", class: "mono" });
  const world = select([["", "as the server's"], ...worlds.worlds.map((w) => w.name)], "");
  const scenario = select([["", "none"], ...scenarios.scenarios.map((s) => s.name)], "");
  const seed = h("input", { type: "number", placeholder: "490" });
  const limits = select([["", "as the server's"], ["default", "default"], ["off", "off"]], "");
  const ttl = h("input", { type: "text", value: "1h" });
  dialog("New sandbox", [field("Id", id, NAME), field("World", world, "The seed data."), field("Scenario", scenario), field("Seed", seed), field("Limits", limits), field("TTL", ttl, "Without use, at most 24h.")], [["Create", async () => {
    const spec = { ttl: ttl.value.trim() };
    if (world.value) spec.world = world.value;
    if (scenario.value) spec.scenario = scenario.value;
    if (seed.value) spec.seed = Number(seed.value);
    if (limits.value) spec.limits = limits.value;
    const box = id.value.trim() ? await call("PUT", `/sandboxes/${segment(id.value.trim())}`, spec) : await call("POST", "/sandboxes", spec);
    await sandboxes();
    go(box.id);
  }]]);
}

const reset = () => dialog(`Reset ${store.sandbox}?`, h("p", {}, "Ledger, clocks, limits, rules, settings and journal return to the start. The id and the credentials stay."), [["Reset", () => call("POST", context.path("/reset")), "danger"]]);
const drop = () => dialog(`Delete ${store.sandbox}?`, h("p", {}, "Everything in it is lost."), [["Delete", async () => { await call("DELETE", context.path("")); go("default"); await sandboxes(); }, "danger"]]);

function snapshot() {
  const name = h("input", { type: "text", class: "mono", placeholder: "chosen by the server" });
  dialog("Take a snapshot", field("Name", name, NAME), [["Take", async () => {
    const taken = await call("POST", context.path("/snapshots"), name.value.trim() ? { name: name.value.trim() } : {});
    toast(`Snapshot ${taken.name ?? taken.snapshot ?? ""}`, "good");
  }]]);
}

function fork() {
  const id = h("input", { type: "text", class: "mono", placeholder: "chosen by the server", data: { member: "id" } });
  dialog(`Fork ${store.sandbox}`, field("Id of the fork", id, `A copy that goes on by itself. ${NAME}`), [["Fork", async () => {
    const box = await call("POST", context.path("/fork"), id.value.trim() ? { id: id.value.trim() } : {});
    await sandboxes();
    go(box.id);
  }]]);
}

async function restore() {
  const list = await act(() => call("GET", context.path("/snapshots")));
  if (!list) return;
  const names = (list.snapshots ?? []).map((s) => s.name ?? s);
  const chosen = names.length ? select(names, names.at(-1)) : null;
  dialog("Restore a snapshot", chosen ? field("Snapshot", chosen) : empty("There is no snapshot.", "Take one first."), chosen ? [["Restore", async () => {
    await call("POST", context.path("/restore"), { snapshot: chosen.value });
    toast(`Restored ${chosen.value}`, "good");
  }]] : []);
}

function rewind() {
  const n = h("input", { type: "number", min: "1", data: { member: "to" }, value: String(store.last || 1) });
  dialog("Rewind", field("To before request", n, "The state that the request met, where the server still has it."), [["Rewind", async () => {
    await call("POST", context.path("/rewind"), { to: Number(n.value) });
    toast(`Rewound to before request ${n.value}`, "good");
  }]]);
}

function openMenu() {
  const items = [["New sandbox", create, "With clocks, ledger, rules and a journal of its own"],
    context.has("snapshots") && ["Take a snapshot", snapshot, "Keeps the state under a name"],
    context.has("restore") && ["Restore a snapshot", restore, "Returns to a state that was kept"],
    context.has("fork") && ["Fork", fork, "A second sandbox that goes on from this state"],
    context.has("rewind") && ["Rewind to an entry", rewind, "Returns to the state before a request"],
    ["Reset", reset, "Returns to the start"], store.sandbox !== "default" && ["Delete", drop, "Removes the sandbox"]].filter(Boolean);
  replace(menu, items.map(([label, run, about], i) => button([label, h("small", { id: `menu-${i}`, "aria-hidden": "true" }, about)],
    () => { menu.hidePopover(); act(run); }, { role: "menuitem", "aria-label": label, "aria-describedby": `menu-${i}` })));
  const { left, bottom } = opener.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - 200))}px`;
  menu.style.top = `${bottom + 6}px`;
}

menu.addEventListener("beforetoggle", (event) => { if (event.newState === "open") openMenu(); });
menu.addEventListener("keydown", (event) => {
  const items = [...menu.children];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
});
menu.addEventListener("toggle", (event) => { if (event.newState === "open") menu.firstChild?.focus(); });

// Keys: g and a letter opens a panel, / goes to the filter.
let pending = -Infinity;
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog")) return;
  if (event.key === "Escape" && current === "journal" && !menu.matches(":popover-open")) panels.journal.leave();
  else if (event.key === "g") pending = performance.now();
  else if (performance.now() - pending < 1000) {
    const found = PANELS.find(([id]) => id[0] === event.key && id !== "limits") ?? (event.key === "l" ? PANELS.find(([id]) => id === "ledger") : null);
    if (found) go(store.sandbox, found[0]);
    pending = -Infinity;
  } else if (event.key === "/" && current === "journal") {
    event.preventDefault();
    panels.journal.text.focus();
  }
});

const feed = new Feed(
  (name, data) => store.take(name, data),
  (name) => {
    state.className = `state ${name}`;
    replace(state, h("span", { class: "dot" }), h("span", { class: "state-text" }, STATES[name]));
    if (name === "live") sandboxes();
  },
);

let version;
store.addEventListener("renewed", () => { toast("The sandbox began anew: it was reset or replaced, or the server has started again."); sandboxes(); });
store.addEventListener("gone", () => gone(true));
store.addEventListener("unread", ({ detail }) => toast(detail.why, "error"));
store.addEventListener("changed", ({ detail }) => {
  gone(false);
  if (detail.parts.includes("clock")) context.clocks.load();
  if (detail.parts.includes("world") && current !== "journal") panels[current]?.show();
});
store.addEventListener("rows", () => {
  const refused = store.rows.length;
  const text = refused ? (refused > 999 ? "999+" : String(refused)) : "";
  const count = tabs.journal.lastChild;
  if (count.textContent !== text) count.textContent = text;
});

setInterval(() => {
  const value = context.clocks.value;
  if (!value) return;
  clock.classList.toggle("frozen", value.frozen);
  const text = new Date(context.clocks.now()).toISOString().slice(11, 19);
  if (clock.lastChild.textContent !== text) clock.lastChild.textContent = text;
  clock.setAttribute("aria-label", `Sandbox clock ${value.frozen ? "frozen" : "running"}: open Time`);
}, 250);
setInterval(() => { if (!document.hidden) sandboxes(); }, 10000);

async function begin() {
  try {
    context.providers = await call("GET", "/providers");
    const document_ = await call("GET", "/openapi.json");
    context.paths = document_.paths;
    version = document_.info.version;
  } catch (error) {
    replace(main, empty("The control API does not answer.", line(error.message)), button("Try again", () => location.reload(), { class: "primary" }));
    return;
  }
  document.documentElement.dataset.version = version;
  await sandboxes();
  feed.start();
  addEventListener("hashchange", () => { clearToasts(); show(); });
  await show();
}

begin();
