// Renders the OpenAPI documents, with "try it": the server signs, this page sends.

import { act, call } from "./api.js";
import { append, badge, button, copy, empty, field, h, line, replace, select } from "./dom.js";
import { body as bodyView } from "./entry.js";
import { entryOf, sendHere } from "./providers.js";
import { bar, links, theme } from "./shell.js";

theme();
const DEPTH_MAX = 6;
const CONTROL = "control";
const chooser = select([], undefined, (name) => { location.hash = `#/${name}`; }, { "aria-label": "Document" });
const search = h("input", { type: "search", placeholder: "Path, operation or text", "aria-label": "Search the operations", oninput: () => paint() });
const content = h("div", { class: "reader-inner-list" });
append(document.body, [bar(links("API documents")), h("main", { class: "reader", tabindex: "-1" }, h("div", { class: "reader-inner" }, h("h1", { class: "sr" }, "API documents"), h("div", { class: "reader-head" }, chooser, search), content))]);

let name, api, box, providers;
const prose = (text) => String(text).split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
const resolve = (node, seen = 0) => {
  if (!node?.$ref || seen > 8) return node ?? {};
  return resolve(node.$ref.slice(2).split("/").reduce((at, step) => at?.[step.replaceAll("~1", "/").replaceAll("~0", "~")], api), seen + 1);
};

function typeOf(schema) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  const types = [schema.type ?? (schema.properties ? "object" : schema.items ? "array" : schema.oneOf || schema.anyOf ? "one of" : "any")].flat().join(" | ");
  const extra = [schema.format, schema.pattern && `/${schema.pattern}/`].filter(Boolean).join(" ");
  return extra ? `${types} ${extra.slice(0, 80)}` : types;
}

function tree(given, depth = 0) {
  const schema = resolve(given);
  const rows = [];
  const required = new Set(schema.required ?? []);
  if (depth < DEPTH_MAX) {
    for (const [member, value] of Object.entries(schema.properties ?? {})) {
      const inner = resolve(value);
      rows.push(h("li", {}, h("strong", {}, member), required.has(member) ? "" : "?", " ", h("span", { class: "type" }, typeOf(inner)), inner.description ? h("span", { class: "about" }, " ", prose(inner.description)) : null, tree(inner, depth + 1)));
    }
    if (schema.items) rows.push(h("li", {}, "items ", h("span", { class: "type" }, typeOf(resolve(schema.items))), tree(schema.items, depth + 1)));
    if (schema.additionalProperties && typeof schema.additionalProperties === "object") rows.push(h("li", {}, "any name ", h("span", { class: "type" }, typeOf(resolve(schema.additionalProperties))), tree(schema.additionalProperties, depth + 1)));
    for (const option of schema.oneOf ?? schema.anyOf ?? schema.allOf ?? []) rows.push(h("li", {}, "or ", h("span", { class: "type" }, typeOf(resolve(option))), tree(option, depth + 1)));
  }
  return rows.length ? h("ul", {}, rows) : null;
}

function media(content_) {
  return Object.entries(content_ ?? {}).map(([type, { schema, example, examples }]) => {
    const shown = example ?? Object.values(examples ?? {})[0]?.value;
    return h("div", {}, h("p", { class: "muted mono" }, type), schema ? h("div", { class: "schema" }, h("span", { class: "type" }, typeOf(resolve(schema))), tree(schema)) : null,
      shown !== undefined ? h("pre", { class: "code mono", tabindex: "0", "aria-label": "Example" }, typeof shown === "string" ? shown : JSON.stringify(shown, null, 2)) : null);
  });
}

function operation(path, method, item, op) {
  const parameters = [...(item.parameters ?? []), ...(op.parameters ?? [])].map((p) => resolve(p));
  const request = resolve(op.requestBody ?? {});
  const node = h("details", { class: "operation", id: op.operationId });
  const fill = () => append(node, h("div", { class: "operation-body" },
    op.description ? h("p", { class: "description" }, prose(op.description)) : null,
    parameters.length ? h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Parameters" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, ["Parameter", "In", "Type", "About"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, parameters.map((p) => h("tr", {}, h("td", { class: "mono" }, p.name, p.required ? " *" : ""), h("td", {}, p.in), h("td", { class: "mono" }, typeOf(resolve(p.schema ?? {}))), h("td", {}, prose(p.description ?? ""))))))) : null,
    request.content ? h("div", {}, h("h3", {}, "Body"), media(request.content)) : null,
    h("div", {}, h("h3", {}, "Responses"), Object.entries(op.responses ?? {}).map(([status, response]) => { const r = resolve(response); return h("details", {}, h("summary", {}, badge(Number(status)), ` ${r.description ?? ""}`), media(r.content)); })),
    tryIt(path, method, parameters, request)));
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) fill(); });
  append(node, h("summary", {}, h("span", { class: `verb ${method}` }, method.toUpperCase()), h("span", { class: "path" }, path), h("span", { class: "summary" }, op.summary ?? op.operationId ?? "")));
  return node;
}

function tryIt(path, method, parameters, request) {
  const inputs = parameters.filter((p) => ["path", "query"].includes(p.in)).map((p) => [p, h("input", { type: "text", class: "mono", value: p.in === "path" ? String(p.example ?? p.schema?.example ?? "") : "", placeholder: String(p.example ?? p.schema?.default ?? "") })]);
  const [type, content_] = Object.entries(request.content ?? {})[0] ?? [];
  const example = content_?.example ?? Object.values(content_?.examples ?? {})[0]?.value;
  const body = type ? h("textarea", { class: "mono", rows: 5 }) : null;
  if (body && example !== undefined) body.value = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  const labels = name === CONTROL ? [] : ["main", ...Object.keys(box.providers[name]?.others ?? {}).filter((l) => !l.startsWith("reject-"))];
  const credential = labels.length ? select(labels, "main") : null;
  const result = h("div", { class: "result", role: "status" });
  const target = () => {
    const query = inputs.filter(([p, i]) => p.in === "query" && i.value).map(([p, i]) => `${encodeURIComponent(p.name)}=${encodeURIComponent(i.value)}`);
    const filled = inputs.filter(([p]) => p.in === "path").reduce((at, [p, i]) => at.replace(`{${p.name}}`, encodeURIComponent(i.value)), path);
    const [before, own] = filled.split("?");
    return { path: before, query: [own, ...query].filter(Boolean).join("&") };
  };
  const sign = (form, to) => call("POST", "/sandboxes/default/sign", { provider: name, credential: credential.value, method: method.toUpperCase(), ...target(), ...(body?.value ? { body: body.value } : {}), as: form, to });
  const send = async () => {
    const { path: at, query } = target();
    if (name === CONTROL) {
      const answer = await act(() => call(method.toUpperCase(), at + (query ? `?${query}` : ""), body?.value ? JSON.parse(body.value) : undefined));
      if (answer !== undefined) replace(result, bodyView(JSON.stringify(answer)));
      return;
    }
    const signed = await act(() => sign("request", "gateway"));
    const answer = signed && await act(() => sendHere(signed.request));
    const n = answer && (await entryOf("/sandboxes/default", name, signed.request, 0))?.n;
    if (answer) replace(result, h("p", {}, badge(answer.status), " ", h("a", { href: `./#/default/journal${n ? `/${n}` : ""}` }, "See it in the journal")), bodyView(await answer.text()));
  };
  return h("form", { class: "try", onsubmit: (e) => { e.preventDefault(); act(send); } }, h("h3", {}, name === CONTROL ? "Try it" : "Try it, signed by the server"),
    inputs.length || credential ? h("div", { class: "fields" }, credential ? field("Credential", credential) : null, inputs.map(([p, i]) => field(p.name, i))) : null, body ? field("Body", body) : null,
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Send"), credential ? button("Copy as curl", async () => { const signed = await act(() => sign("curl", "port")); if (signed) copy(signed.text, "Copied: signed just now"); }) : null), result);
}

function paint() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const [method, op] of Object.entries(item)) {
      if (!["get", "post", "put", "patch", "delete"].includes(method)) continue;
      if (!words.every((w) => `${path} ${method} ${op.operationId} ${op.summary}`.toLowerCase().includes(w))) continue;
      const tag = op.tags?.[0] ?? "";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(path, method, item, op));
    }
  }
  replace(content, h("header", {}, h("h2", {}, api.info?.title ?? name), h("p", { class: "description" }, prose(api.info?.description ?? ""))),
    groups.size ? [...groups].map(([tag, nodes]) => [tag ? h("h3", { class: "group-title" }, tag) : null, nodes]) : empty("No operation matches."));
}

async function show() {
  const wanted = location.hash.slice(2);
  name = wanted in providers ? wanted : wanted === CONTROL ? CONTROL : Object.keys(providers)[0];
  chooser.value = name;
  const found = await act(() => call("GET", name === CONTROL ? "/openapi.json" : `/providers/${name}/openapi.json`));
  if (!found) return;
  api = found;
  document.title = `${line(api.info?.title ?? name)} · Fake exchange`;
  paint();
}

providers = (await act(() => call("GET", "/providers"))) ?? {};
box = (await act(() => call("GET", "/sandboxes/default"))) ?? { providers: {} };
replace(chooser, Object.entries(providers).map(([key, p]) => h("option", { value: key }, p.title)), h("option", { value: CONTROL }, "Control API"));
addEventListener("hashchange", show);
await show();
