// The form of a new rule, made of the tables that the control API gives; shows its YAML and Python.

import { call } from "./api.js";
import { complain, copyButton, field, h, replace, select, toast } from "./dom.js";

const EFFECTS = [["reject", "Reject, in the provider's words"], ["page", "Page of a proxy or CDN"], ["raw", "Raw answer"], ["mutate", "Change the response"], ["deliver", "Disturb the delivery"]];

export class RuleForm {
  constructor(context, kinds, done) {
    this.context = context;
    this.kinds = kinds;
    this.done = done;
    this.values = { match: {}, when: {}, effect: "reject", kind: "", parameter: "", name: "" };
    this.yaml = h("pre", { class: "code mono", tabindex: "0", "aria-label": "The rule as YAML" });
    this.python = h("pre", { class: "code mono", tabindex: "0", "aria-label": "The rule as Python" });
    this.effectBox = h("div", { class: "fields" });
    this.matchBox = h("div", { class: "fields" });
    const when = h("div", { class: "fields" }, this.table("when").filter((m) => m.name !== "period").map((member) => this.input("when", member)));
    const name = h("input", { type: "text", placeholder: "from its content", oninput: (e) => this.set(() => { this.values.name = e.target.value.trim(); }) });
    this.node = h("form", { class: "rule-form", onsubmit: (e) => { e.preventDefault(); this.submit(); } },
      h("fieldset", {}, h("legend", {}, "Match"), this.matchBox), h("fieldset", {}, h("legend", {}, "When"), when),
      h("fieldset", {}, h("legend", {}, "Do"), field("Effect", select(EFFECTS, "reject", (v) => { this.values.effect = v; this.values.kind = ""; this.values.parameter = ""; this.effect(); })), this.effectBox),
      field("Name", name), h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Set the rule")),
      h("div", { class: "two codes" }, h("div", {}, h("div", { class: "code-head" }, "YAML", copyButton(() => this.yaml.textContent, "Copy the YAML")), this.yaml),
        h("div", {}, h("div", { class: "code-head" }, "Python", copyButton(() => this.python.textContent, "Copy the Python")), this.python)));
    this.match();
    this.effect();
  }

  table(part) { return this.kinds[part] ?? []; }

  set(change) { change(); this.preview(); }

  match() {
    const names = Object.keys(this.context.providers);
    const known = this.values.match;
    const provider = select([["", "* all"], ...names], known.provider ?? "", (v) => { this.values.match = v ? { provider: v } : {}; this.match(); this.effect(); });
    const about = this.context.providers[known.provider];
    const operations = about ? [["", "any"], ["balances", "balances (main read)"], ...about.operations.map((o) => o.id)] : [["", "any"], ["balances", "balances (main read)"]];
    const operation = select(operations, known.operation ?? "", (v) => this.set(() => assign(known, "operation", v)));
    const rest = this.table("match").filter((m) => !["provider", "operation"].includes(m.name)).map((member) => this.input("match", member));
    replace(this.matchBox, field("Provider", provider), field("Operation", operation), rest);
    this.preview();
  }

  input(part, member) {
    const object = member.value.type === "object";
    const node = h("input", { type: "text", placeholder: example(member.value), oninput: (e) => this.set(() => assign(this.values[part], member.name, read(e.target.value, member.value))) });
    return field(capital(member.name), node, object ? `${member.about} As JSON.` : member.about);
  }

  reasons() {
    const { providers } = this.context;
    const chosen = this.values.match.provider;
    const lists = (chosen ? [providers[chosen]] : Object.values(providers)).map((p) => p.reasons);
    return lists[0]?.filter((reason) => lists.every((list) => list.includes(reason))) ?? [];
  }

  effect() {
    const v = this.values;
    const choose = (options, label, hint) => {
      if (!options.some((o) => (Array.isArray(o) ? o[0] : o) === v.kind)) v.kind = Array.isArray(options[0]) ? options[0][0] : options[0];
      return field(label, select(options, v.kind, (value) => { v.kind = value; v.parameter = ""; this.effect(); }), hint);
    };
    const out = [];
    if (v.effect === "reject") out.push(choose(this.reasons(), "Reason"));
    if (v.effect === "page") out.push(choose(this.table("answer").find((m) => m.name === "page").value.enum, "Page"));
    if (v.effect === "raw") {
      v.raw ??= { status: 503 };
      for (const member of this.table("answer").filter((m) => ["status", "headers", "body"].includes(m.name))) {
        const node = h("input", { type: "text", placeholder: example(member.value), value: member.name === "status" ? "503" : "", oninput: (e) => this.set(() => assign(v.raw, member.name, read(e.target.value, member.value))) });
        out.push(field(capital(member.name), node, member.about));
      }
    }
    if (v.effect === "mutate" || v.effect === "deliver") {
      const table = this.table(v.effect);
      const names = table.map((m) => m.name);
      out.push(choose(names, "Kind", table.find((m) => m.name === (names.includes(v.kind) ? v.kind : names[0]))?.about));
      const { value } = table.find((m) => m.name === v.kind);
      if (value.const === true) v.parameter = true;
      else {
        if (v.parameter === "") v.parameter = value.enum ? value.enum[0] : value.examples[0];
        const set = (text) => this.set(() => { v.parameter = read(text, value); });
        const text = typeof v.parameter === "object" ? JSON.stringify(v.parameter) : String(v.parameter);
        out.push(field("Value", value.enum ? select(value.enum, v.parameter, set) : h("input", { type: "text", value: text, oninput: (e) => set(e.target.value) }), takes(value)));
      }
    }
    replace(this.effectBox, out);
    this.preview();
  }

  rule() {
    const v = this.values;
    const rule = v.name ? { name: v.name } : {};
    if (Object.keys(v.match).length) rule.match = v.match;
    if (Object.keys(v.when).length) rule.when = v.when;
    if (v.effect === "reject" || v.effect === "page") rule.answer = { [v.effect]: v.kind };
    else if (v.effect === "raw") rule.answer = v.raw;
    else rule[v.effect] = { [v.kind]: v.parameter };
    return rule;
  }

  preview() {
    const rule = this.rule();
    this.yaml.textContent = `- ${yaml({ name: rule.name ?? "mine", ...rule }, "  ").trimStart()}`;
    this.python.textContent = python(rule);
  }

  async submit() {
    const inputs = [...this.node.querySelectorAll("input, select")];
    for (const control of inputs) complain(control, "");
    try {
      const { rule } = await call("POST", this.context.path("/faults"), this.rule());
      toast(`The rule ${rule.name} is in force`, "good");
      this.done(rule.name);
    } catch (error) {
      const member = error.body?.at?.match(/(\w+)\W*$/)?.[1];
      const control = inputs.find((c) => c.dataset.member === member);
      if (!control) return toast(error.message, "error");
      complain(control, error.plain);
      control.focus();
    }
    return undefined;
  }
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function assign(object, name, value) {
  if (value === "" || value === undefined) delete object[name];
  else object[name] = value;
}

// What was typed as the value that the table asks for; what does not fit goes as text, to be refused.
function read(text, schema) {
  const types = [schema.type].flat();
  const trimmed = text.trim();
  if (!trimmed) return "";
  if (/^[[{]/.test(trimmed)) {
    try { return JSON.parse(trimmed); } catch { return trimmed; }
  }
  if ((types.includes("integer") || types.includes("number")) && !types.includes("string") && Number.isFinite(Number(trimmed))) return Number(trimmed);
  return trimmed;
}

function example(schema) {
  const value = schema.examples?.[0];
  return value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function takes(schema) {
  if (schema.enum) return undefined;
  const bounds = [schema.minimum !== undefined ? `from ${schema.minimum}` : "", schema.maximum !== undefined ? `to ${schema.maximum}` : "", schema.exclusiveMaximum !== undefined ? `below ${schema.exclusiveMaximum}` : ""].filter(Boolean).join(" ");
  const others = (schema.examples ?? []).slice(1).map((e) => JSON.stringify(e)).join(" or ");
  return [schema.format, bounds, others && `also ${others}`].filter(Boolean).join(", ") || undefined;
}

const scalar = (value) => (typeof value === "string" && /^[A-Za-z][\w./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off)$/i.test(value) ? value : JSON.stringify(value));
const inline = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? `{${Object.entries(value).map(([k, v]) => `${k}: ${inline(v)}`).join(", ")}}` : scalar(value));
const yaml = (object, indent) => Object.entries(object).map(([k, v]) => `${indent}${k}: ${inline(v)}`).join("\n");

function python(rule) {
  const { name, match = {}, when = {}, answer = {}, mutate, deliver } = rule;
  const { provider, ...rest } = match;
  const literal = (v) => JSON.stringify(v).replace(/("(?:[^"\\]|\\.)*")|\b(true|false|null)\b/g, (all, text, word) => text ?? { true: "True", false: "False", null: "None" }[word]).replace(/([,:])(?=["{[\d-])/g, "$1 ");
  const words = { from: "from_", for: "for_" };
  const keywords = Object.entries({ ...rest, ...when, ...answer, ...(mutate ? { mutate } : {}), ...(deliver ? { deliver } : {}) }).map(([k, v]) => `${words[k] ?? k}=${literal(v)}`);
  const args = [name ? literal(name) : null, ...keywords].filter(Boolean);
  const target = provider ? `sandbox.${provider}` : "sandbox";
  const one = `${target}.fail(${args.join(", ")})`;
  return one.length < 60 ? one : `${target}.fail(\n${args.map((a) => `    ${a},`).join("\n")}\n)`;
}
