// Time: both clocks, how they run, and what happens next.

import { act, call } from "./api.js";
import { button, empty, field, h, replace, span, time } from "./dom.js";

export class Clocks extends EventTarget {
  constructor(context) {
    super();
    this.context = context;
    this.value = null;
  }

  async load() {
    const value = await act(() => call("GET", this.context.path("/clock")));
    if (!value) return;
    this.set(value);
  }

  set(value) {
    this.value = { ...value, at: performance.now(), base: Date.parse(value.now), auth: Date.parse(value.auth_now) };
    this.dispatchEvent(new Event("change"));
  }

  // Milliseconds since the epoch.
  now() {
    const v = this.value;
    return v ? v.base + (v.frozen ? 0 : (performance.now() - v.at) * v.rate) : 0;
  }

  authNow() {
    const v = this.value;
    return v ? v.auth + (performance.now() - v.at) : 0;
  }

  async change(change, done) {
    const value = await act(() => call("POST", this.context.path("/clock"), change), done);
    if (value) this.set(value);
    return value;
  }
}

const show = (milliseconds) => (milliseconds ? new Date(milliseconds).toISOString().replace("T", " ").replace("Z", "").slice(0, 21) : "-");

export class Time {
  constructor(context) {
    this.context = context;
    this.clocks = context.clocks;
    this.now = h("output", { class: "clock mono" });
    this.auth = h("output", { class: "clock mono" });
    this.state = h("p", { class: "muted" });
    this.skewed = h("p", { class: "muted" });
    this.freezer = button("Freeze", () => this.clocks.change({ freeze: !this.clocks.value?.frozen }), { class: "primary" });
    const input = (props) => h("input", { type: "text", ...props });
    this.advance = input({ value: "61s", size: 8 });
    this.to = input({ placeholder: "2027-01-01T00:00:00Z" });
    this.rate = h("input", { type: "number", min: "0.000001", step: "any", value: "1", class: "narrow-input" });
    this.skew = input({ placeholder: "-400s", size: 8 });
    this.next = h("div", { class: "upcoming" });
    const form = (label, control, verb, make, hint) => h("form", { class: "inline-form", onsubmit: (e) => { e.preventDefault(); this.clocks.change(make()); } }, field(label, control, hint), h("button", { type: "submit" }, verb));
    const chip = (text) => button(`+${text}`, () => this.clocks.change({ advance: text }), { class: "chip", "aria-label": `Advance by ${text}` });
    this.node = h("div", { class: "panel time-panel" },
      h("div", { class: "two" },
        h("section", { class: "card" }, h("h2", {}, "Sandbox clock"), this.now, this.state,
          h("div", { class: "actions" }, this.freezer, ["1s", "10s", "1m", "5m", "1h", "24h"].map(chip)),
          h("p", { class: "muted" }, "Moves this clock only: limits, rules and withdrawals follow it. Timestamps and tokens do not expire by it, but by the auth clock."),
          form("Advance by", this.advance, "Advance", () => ({ advance: this.advance.value })),
          form("Set to", this.to, "Set", () => ({ set: this.to.value }), "Never backwards."),
          form("Rate", this.rate, "Set rate", () => ({ rate: Number(this.rate.value) }), "Times as fast as real time.")),
        h("section", { class: "card" }, h("h2", {}, "Auth clock"), this.auth, this.skewed,
          form("Skew", this.skew, "Skew", () => ({ skew: this.skew.value }), "Judges timestamps and tokens: real time plus the skew."),
          h("div", { class: "actions" }, button("No skew", () => this.clocks.change({ skew: "0s" }))))),
      h("section", { class: "card" }, h("h2", {}, "What happens next"), this.next));
    this.clocks.addEventListener("change", () => { if (this.node.isConnected) this.upcoming(); });
    setInterval(() => { if (this.node.isConnected) this.tick(); }, 200);
    setInterval(() => { if (this.node.isConnected && !document.hidden) this.upcoming(); }, 2000);
    context.store.addEventListener("changed", ({ detail }) => { if (this.node.isConnected && !detail.parts.includes("clock")) this.upcoming(); });
  }

  async show() {
    this.tick();
    await this.upcoming();
    return this.node;
  }

  tick() {
    const value = this.clocks.value;
    if (!value) return;
    this.now.textContent = show(this.clocks.now());
    this.auth.textContent = show(this.clocks.authNow());
    this.state.textContent = value.frozen ? "Frozen" : value.rate === 1 ? "Runs at the rate of real time" : `Runs ${value.rate} times as fast as real time`;
    this.skewed.textContent = value.skew === "0s" ? "Is real time" : `Real time ${value.skew.startsWith("-") ? "" : "+"}${value.skew}`;
    const verb = value.frozen ? "Run" : "Freeze";
    if (this.freezer.textContent !== verb) this.freezer.textContent = verb;
    for (const cell of this.next.querySelectorAll("[data-at]")) cell.textContent = `in ${span(Math.max(0, (Date.parse(cell.dataset.at) - this.clocks.now()) / 1000))}`;
  }

  async upcoming() {
    if (this.loading) return;
    this.loading = true;
    const answer = await act(() => call("GET", this.context.path("/upcoming")));
    this.loading = false;
    if (!answer) return;
    const key = JSON.stringify(answer.upcoming);
    if (key === this.shown) return;
    this.shown = key;
    if (!answer.upcoming.length) {
      replace(this.next, empty("Nothing is due.", "Windows of limits that free, withdrawals that confirm, portfolios that sync and rules that begin or end appear here."));
      return;
    }
    replace(this.next, h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Upcoming" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ["When", "At", "Provider", "What", ""].map((t) => h("th", { scope: "col" }, t || h("span", { class: "sr" }, "Action"))))),
      h("tbody", {}, answer.upcoming.map((row) => h("tr", {}, h("td", { class: "nowrap" }, h("span", { data: { at: row.at } })), h("td", { class: "mono" }, time(row.at)), h("td", {}, row.provider),
        h("td", {}, h("span", { class: `tag ${row.kind}` }, row.kind), ` ${row.about}`),
        h("td", { class: "right" }, button("Advance to it", () => this.clocks.change({ set: row.at }, "Advanced")))))))));
    this.tick();
  }
}
