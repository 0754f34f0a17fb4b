// Limits with how full they are, quirks with their alternatives, coverage of the client.

import { act, call } from "./api.js";
import { button, complain, empty, h, line, replace, select, span, toast } from "./dom.js";

class Panel {
  constructor(context, parts) {
    this.context = context;
    this.node = h("div", { class: "panel" });
    context.store.addEventListener("changed", ({ detail }) => { if (detail.parts.some((p) => parts.includes(p))) this.queue(100); });
  }

  queue(wait) {
    if (this.timer || !this.node.isConnected) return;
    this.timer = setTimeout(() => { this.timer = null; this.load(); }, wait);
  }

  async show() {
    await this.load();
    return this.node;
  }

  // A person who types is not disturbed.
  busy() {
    if (this.node.querySelector("[aria-invalid]")) return true;
    return this.node.contains(document.activeElement) && ["INPUT", "SELECT"].includes(document.activeElement.tagName);
  }
}

// Saves what stands in an input; what is refused stays there, with the reason below it.
async function settle(input, save, done) {
  complain(input, "");
  try {
    await save();
    input.blur();
    toast(done, "good");
  } catch (error) {
    complain(input, error.body?.error ?? error.message);
  }
}

export class Limits extends Panel {
  constructor(context) {
    super(context, ["settings", "clock"]);
    context.store.addEventListener("rows", () => this.queue(500));
    setInterval(() => { if (this.node.isConnected) this.tick(); }, 500);
  }

  async load() {
    const usage = await act(() => call("GET", this.context.path("/limits/usage")));
    if (!usage || this.busy()) return;
    const all = (word) => this.node.querySelectorAll("[aria-invalid]").forEach((input) => complain(input, "")) ?? act(() => call("PATCH", this.context.path("/limits"), word), `All limits: ${word}`).then(() => this.load());
    replace(this.node, h("section", { class: "card" },
      h("header", {}, h("h2", {}, "Rate limits"), h("div", { class: "actions" }, button("Switch all off", () => all("off"), { class: "ghost" }), button("Defaults", () => all("default"), { class: "ghost" }))),
      h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Limits" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ["Limit", "Value", "Window", "Used"].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, usage.limits.map((limit) => this.row(limit)))))),
    usage.bans.length ? h("section", { class: "card" }, h("h2", {}, "Bans"), h("ul", { class: "bans" }, usage.bans.map((ban) => h("li", {}, h("strong", {}, line(ban.caller)), ` is ${ban.state} (${ban.ban}) `, h("span", { class: "muted", data: { at: ban.until } }))))) : null);
    this.tick();
  }

  row(limit) {
    const input = h("input", { type: "text", value: limit.value, "aria-label": `Value of ${limit.limit}`, class: "mono", size: 10 });
    const save = () => settle(input, () => call("PATCH", this.context.path("/limits"), { [limit.limit]: input.value.trim() || null }), `${limit.limit} is ${input.value || "its default"}`).then(() => this.load());
    const form = h("form", { class: "inline", onsubmit: (e) => { e.preventDefault(); save(); } }, input);
    const callers = limit.callers.map((caller) => {
      const share = Math.min(1, caller.used / (limit.count || 1));
      const bar = h("div", { class: `meter${share >= 1 ? " full" : share >= 0.8 ? " near" : ""}`, role: "img", "aria-label": `${caller.used} of ${limit.count} used` }, h("span"));
      bar.firstChild.style.width = `${share * 100}%`;
      return h("div", { class: "usage" }, h("span", { class: "caller", title: line(caller.caller) }, line(caller.caller)), bar, h("span", { class: "mono" }, `${caller.used}/${limit.count}`), h("span", { class: "muted", data: { at: caller.frees } }));
    });
    return h("tr", {}, h("td", { class: "mono all" }, limit.limit), h("td", {}, form), h("td", { class: "muted", data: { label: "Window" } }, limit.count === null ? "-" : limit.rolling ? "rolling" : "fixed"),
      h("td", {}, callers.length ? callers : h("span", { class: "muted" }, limit.count === null ? "off" : "nothing used"), limit.more ? h("p", { class: "muted" }, `${limit.more} more callers`) : null));
  }

  tick() {
    for (const cell of this.node.querySelectorAll("[data-at]")) {
      const seconds = (Date.parse(cell.dataset.at) - this.context.clocks.now()) / 1000;
      cell.textContent = seconds > 0 ? `frees in ${span(seconds)}` : "free";
      if (seconds < -0.5) this.queue(1000);
    }
  }
}

export class Quirks extends Panel {
  constructor(context) {
    super(context, ["settings"]);
    this.node.classList.add("columns");
    this.open = new Set(); // quirks whose facts are shown
  }

  async load() {
    const [values, facts] = await Promise.all([act(() => call("GET", this.context.path("/quirks"))), this.facts ?? act(() => call("GET", "/facts"))]);
    if (!values || this.busy()) return;
    this.facts = facts;
    const groups = Object.entries(this.context.providers).map(([name, provider]) => {
      const quirks = Object.entries(provider.quirks);
      return h("section", { class: "card" }, h("h2", {}, provider.title), quirks.map(([quirk, about]) => this.quirk(name, quirk, about, values[`${name}.${quirk}`])));
    });
    replace(this.node, groups);
  }

  quirk(provider, name, about, value) {
    const full = nameOf(provider, name);
    const set = (v) => {
      const pressed = document.activeElement;
      const saved = act(() => call("PATCH", this.context.path("/quirks"), { [full]: v }), `${full} is ${v ?? "its default"}`);
      return saved.then(() => { if (document.activeElement === pressed) pressed?.blur(); this.load(); }); // who types elsewhere goes on
    };
    const free = !about.choices.includes(about.default) || about.choices.length < 2;
    const control = free
      ? h("form", { class: "inline", onsubmit: (e) => { e.preventDefault(); const [input] = e.target.elements; settle(input, () => call("PATCH", this.context.path("/quirks"), { [full]: input.value.trim() || null }), `${full} is ${input.value.trim() || "its default"}`).then(() => this.load()); } }, h("input", { type: "text", value, "aria-label": full, size: 10, class: "mono" }))
      : about.choices.length <= 4
        ? h("div", { class: "segments", role: "group", "aria-label": full }, about.choices.map((choice) => button(choice, () => set(choice), { "aria-pressed": String(choice === value) })))
        : select(about.choices, value, set, { "aria-label": full, class: "mono" });
    const changed = value !== about.default;
    const facts = this.related(provider, name, about);
    return h("div", { class: `quirk${changed ? " changed" : ""}` }, h("div", {}, h("h3", { class: "mono" }, name, changed ? h("span", { class: "tag" }, `default ${about.default}`) : null), h("p", {}, about.about),
      facts.length ? h("details", { open: this.open.has(full), ontoggle: (e) => (e.target.open ? this.open.add(full) : this.open.delete(full)) }, h("summary", {}, facts.length === 1 ? "The fact behind it" : `${facts.length} facts behind it`), facts.map((f) => h("p", { class: "fact" }, h("a", { href: `facts#${encodeURIComponent(f.id)}` }, f.id), h("span", { class: `tag ${f.status}` }, f.status), ` ${f.fact}`))) : null),
    h("div", { class: "value" }, control, changed ? button("Default", () => set(null), { class: "ghost small", "aria-label": `${full} to its default` }) : null));
  }

  related(provider, name, about) {
    const rows = (this.facts?.facts ?? []).filter((f) => f.provider === provider);
    const named = rows.filter((f) => f.fact.includes(`\`${name}\``) || f.fact.includes(nameOf(provider, name)));
    if (named.length) return named.slice(0, 5);
    const words = (text) => new Set(text.toLowerCase().match(/[a-z]{4,}/g) ?? []);
    const wanted = new Set([...words(name.replaceAll("_", " ")), ...words(about.about)]);
    const key = [...words(name.replaceAll("_", " "))];
    const score = (f) => { const has = words(`${f.id.replaceAll("-", " ")} ${f.fact}`); return [...wanted].filter((w) => has.has(w)).length + key.filter((w) => has.has(w)).length * 2; };
    const best = rows.map((f) => [score(f), f]).sort((a, b) => b[0] - a[0])[0];
    return best && best[0] >= 5 ? [best[1]] : [];
  }
}

const nameOf = (provider, name) => `${provider}.${name}`;

export class Coverage extends Panel {
  constructor(context) {
    super(context, ["faults", "world"]);
    context.store.addEventListener("rows", () => this.queue(500));
  }

  async load() {
    const coverage = await act(() => call("GET", this.context.path("/coverage")));
    if (!coverage) return;
    const { faults, ...providers } = coverage;
    const rules = Object.entries(faults.rules);
    replace(this.node, h("p", { class: "lead" }, "What this client has met since the sandbox was made or reset. A client that has met every reason has shown that it can handle it."),
      Object.entries(providers).map(([name, p]) => this.provider(name, p)),
      h("section", { class: "card" }, h("h2", {}, "Fault rules"), rules.length ? this.chips(Object.fromEntries(rules), "rules") : empty("No rule has had an effect.")));
  }

  provider(name, { operations, reasons }) {
    const share = (counts) => { const all = Object.values(counts); return [all.filter(Boolean).length, all.length]; };
    const meter = (label, counts) => {
      const [met, all] = share(counts);
      const bar = h("div", { class: "meter good", role: "img", "aria-label": `${met} of ${all} ${label} met` }, h("span"));
      bar.firstChild.style.width = `${(met / (all || 1)) * 100}%`;
      return h("div", { class: "cover-line" }, h("span", {}, label), bar, h("span", { class: "mono" }, `${met}/${all}`));
    };
    return h("section", { class: "card" }, h("header", {}, h("h2", {}, this.context.providers[name]?.title ?? name), h("span", { class: "tag" }, name)),
      meter("operations", operations), this.chips(operations, `operations of ${name}`), meter("reasons", reasons), this.chips(reasons, `reasons of ${name}`));
  }

  chips(counts, label) {
    return h("ul", { class: "cover", "aria-label": label }, Object.entries(counts).map(([name, count]) => h("li", { class: count ? "met" : "missing" }, h("span", {}, line(name)), h("span", { class: "mono count" }, count ? count.toLocaleString("en") : "-"))));
  }
}
