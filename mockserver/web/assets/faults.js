// Faults: scenarios to play, the rules in force, and a form for a new rule.

import { act, call, segment } from "./api.js";
import { button, empty, h, iconButton, line, replace, toast } from "./dom.js";
import { RuleForm } from "./rule.js";

export class Faults {
  constructor(context) {
    this.context = context;
    this.scenarios = h("div", { class: "scenarios" });
    this.rules = h("div", {});
    this.form = h("div", {});
    this.node = h("div", { class: "panel faults" },
      h("section", { class: "card rules" }, h("header", {}, h("h2", {}, "Rules in force"), button("Delete all", () => this.drop(), { class: "ghost" })), this.rules),
      h("div", { class: "two uneven" }, h("section", { class: "card" }, h("h2", {}, "New rule"), this.form), h("section", { class: "card" }, h("h2", {}, "Scenarios"), this.scenarios)));
    context.store.addEventListener("changed", ({ detail }) => { if (detail.parts.includes("faults")) this.queue(); });
    context.store.addEventListener("rows", () => this.queue(1000));
  }

  queue(wait = 100) {
    if (this.timer || !this.node.isConnected) return;
    this.timer = setTimeout(() => { this.timer = null; this.load(); }, wait);
  }

  async show() {
    const [kinds, scenarios] = await Promise.all([act(() => call("GET", "/faults/kinds")), act(() => call("GET", "/scenarios"))]);
    if (kinds && !this.form.firstChild) this.form.append(new RuleForm(this.context, kinds, (name) => this.load().then(() => this.route(name))).node);
    this.known = scenarios?.scenarios ?? [];
    await this.load();
    return this.node;
  }

  // Brings the rule into sight that the address names.
  route(name) {
    const row = name && [...this.rules.querySelectorAll("tbody tr")].find((r) => r.dataset.rule === name);
    if (row) row.scrollIntoView({ block: "center" });
    this.chosen = row ? name : "";
    if (row) row.classList.add("chosen");
    else if (name) toast(`The rule ${name} is no longer in force.`);
  }

  // Deletes one rule, or all.
  async drop(name) {
    const names = name ? [name] : (this.list ?? []).map(({ rule }) => rule.name);
    const path = this.context.path(`/faults${name ? `/${segment(name)}` : ""}`);
    await act(() => call("DELETE", path), names.length ? `Deleted ${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}` : "There was no rule");
    await this.load();
  }

  async load() {
    const list = await act(() => call("GET", this.context.path("/faults")));
    if (!list) return;
    this.paintRules(list.rules);
    if (this.playing !== (list.scenario ?? "") || !this.scenarios.firstChild) this.paintScenarios(list.scenario ?? "");
  }

  paintRules(rules) {
    this.list = rules;
    if (!rules.length) {
      replace(this.rules, empty("No rule is in force.", "Play a scenario, or make a rule below."));
      return;
    }
    const columns = ["Name", "Matches", "Does", "State", "Matched", "Fired", ""];
    replace(this.rules, h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Rules" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: /ed$/.test(c) ? "right" : "" }, c || h("span", { class: "sr" }, "Action"))))),
      h("tbody", {}, rules.map(({ rule, scenario, state, matched, fired }) => h("tr", { class: rule.name === this.chosen ? "chosen" : "", data: { rule: rule.name } }, h("td", { class: "mono" }, line(rule.name), scenario ? h("span", { class: "tag" }, line(scenario)) : null),
        h("td", { class: "mono wrap" }, line(brief({ ...rule.match, ...(rule.when ?? {}) })) || "everything"), h("td", { class: "mono wrap" }, line(brief({ ...rule.answer, ...rule.mutate, ...rule.deliver }))),
        h("td", {}, h("span", { class: `tag state-${state}` }, state)), h("td", { class: "right mono", data: { label: "matched" } }, matched), h("td", { class: "right mono", data: { label: "fired" } }, fired),
        h("td", { class: "right" }, iconButton("trash", `Delete the rule ${line(rule.name)}`, () => this.drop(rule.name)))))))));
  }

  paintScenarios(playing) {
    this.playing = playing;
    const play = (name) => act(() => call("PUT", this.context.path("/scenario"), { name }), `Plays ${name}`).then(() => this.load());
    const stop = () => act(() => call("DELETE", this.context.path("/scenario")), "Stopped").then(() => this.load());
    const rows = this.known.map(({ name, about, client }) => h("article", { class: `scenario${name === playing ? " playing" : ""}` },
      h("header", {}, h("h3", { class: "mono" }, name), name === playing ? button("Stop", stop, { class: "primary", "aria-label": `Stop ${name}` }) : button("Play", () => play(name), { "aria-label": `Play ${name}` })),
      h("p", {}, line(about)), h("p", { class: "good-client" }, h("strong", {}, "A good client "), line(lower(client)))));
    const foreign = playing && !this.known.some((s) => s.name === playing);
    replace(this.scenarios, foreign ? h("article", { class: "scenario playing" }, h("header", {}, h("h3", { class: "mono" }, line(playing)), button("Stop", stop))) : null, rows);
  }
}

const lower = (text) => (text ? text[0].toLowerCase() + text.slice(1) : "");

function brief(object) {
  return Object.entries(object ?? {}).map(([k, v]) => `${k}: ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ").slice(0, 300);
}
