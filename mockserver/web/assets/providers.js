// Where clients point: base URLs, credentials, signed requests to copy or to send, the reject keys.

import { act, call, segment } from "./api.js";
import { badge, button, clockTime, copy, copyButton, h, iconButton, line, replace, select, toast } from "./dom.js";

const SIGNED = /sign|authorization|key/i;

export class Providers {
  constructor(context) {
    this.context = context;
    this.revealed = new Set();
    this.node = h("div", { class: "cards" });
    context.store.addEventListener("rows", () => this.queue());
  }

  async show() {
    const box = await act(() => call("GET", this.context.path("")));
    if (!box) return this.node;
    this.statuses = {};
    replace(this.node, Object.entries(box.providers).map(([name, provider]) => this.card(name, provider)));
    this.update();
    return this.node;
  }

  queue() {
    if (this.timer || !this.node.isConnected) return;
    this.timer = setTimeout(() => { this.timer = null; this.update(); }, 300);
  }

  update() {
    for (const [name, node] of Object.entries(this.statuses ?? {})) {
      const last = this.context.store.lastByProvider[name];
      replace(node, last ? [badge(last.status, last.reason), h("span", { class: "muted" }, ` ${line(last.operation || last.target)}, ${clockTime(last.time)}`)] : h("span", { class: "muted" }, "no request yet"));
    }
  }

  card(name, provider) {
    const about = this.context.providers[name] ?? { title: name, operations: [], reasons: [] };
    const labels = { main: provider.credentials, ...provider.others };
    const own = Object.keys(labels).filter((label) => !label.startsWith("reject-"));
    const rejects = about.reasons.map((reason) => `reject-${reason}`);
    const members = h("dl", { class: "members" });
    let label = own[0];
    const show = () => this.members(members, `${name}/${label}`, labels[label] ?? {});
    const chooser = select([...own], label, (value) => { label = value; show(); }, { "aria-label": `Credential of ${name}` });
    show();
    const signed = (form) => this.copySigned(name, () => label, form);
    this.statuses[name] = h("p", { class: "last" });
    return h("section", { class: "card provider", "aria-label": about.title },
      h("header", {}, h("h2", {}, about.title), h("span", { class: "tag" }, name)),
      this.statuses[name],
      this.address("Base URL", provider.base_url), provider.https_url ? this.address("TLS", provider.https_url) : null, provider.direct_url && provider.direct_url !== provider.base_url ? this.address("Direct", provider.direct_url) : null,
      h("div", { class: "field-line" }, h("span", { class: "caption" }, "Credential"), chooser), members,
      h("div", { class: "actions" }, button("Send", () => this.send(name, label), { class: "primary", title: "Sends the main read, signed, through the gateway" }),
        button("Send a wrong one", () => this.send(name, label, true), { title: "Sends the same with the signature of another method, or one wrong character in the key" }),
        [["curl", "curl"], ["Python", "python"], ["JavaScript", "javascript"]].map(([text, form]) => button(`Copy as ${text}`, signed(form), { "aria-label": `Copy as ${text}, signed, for ${name}` }))),
      h("details", {}, h("summary", {}, `${rejects.length} keys that are always refused`),
        h("p", { class: "muted" }, "A request with such a key gets that refusal, in the provider's own words. Choose one to send it."),
        h("div", { class: "chips" }, rejects.map((reject) => button(reject, () => this.send(name, reject), { class: "chip" })))));
  }

  address(label, text) {
    return h("div", { class: "field-line" }, h("span", { class: "caption" }, label), h("code", {}, line(text)), copyButton(text, `Copy ${label}`));
  }

  members(node, id, credential) {
    const shown = this.revealed.has(id);
    const flat = Object.entries(credential).map(([k, v]) => [k, typeof v === "string" ? v : JSON.stringify(v)]);
    replace(node, flat.map(([member, value]) => [h("dt", {}, member),
      h("dd", {}, h("code", { class: shown ? "" : "masked" }, shown ? line(value) : "•".repeat(12)), copyButton(value, `Copy ${member}`))]),
    flat.length ? h("div", { class: "reveal" }, h("dt", { class: "sr" }, "Shown"), h("dd", {}, iconButton("eye", shown ? "Hide the credential" : "Reveal the credential", () => {
      if (shown) this.revealed.delete(id);
      else this.revealed.add(id);
      this.members(node, id, credential);
    }, { "aria-pressed": String(shown) }))) : null);
  }

  copySigned(name, label, form) {
    return async () => {
      const answer = await act(() => call("POST", this.context.path("/sign"), { provider: name, credential: label(), as: form }));
      if (answer) copy(answer.text, `Copied: signed just now as ${label()}, ${name}`);
    };
  }

  async send(name, label, wrong = false) {
    const sign = (more) => act(() => call("POST", this.context.path("/sign"), { provider: name, credential: label, as: "request", to: "gateway", ...more }));
    const answer = await sign();
    if (!answer) return;
    let { request } = answer, wrongness = "";
    if (wrong) {
      const other = await sign({ method: request.method === "GET" ? "POST" : "GET" });
      [request, wrongness] = spoil(request, other?.request);
    }
    const after = this.context.store.last;
    const sent = await act(() => sendHere(request));
    if (!sent) return;
    const entry = await entryOf(this.context.path(""), name, request, after);
    const reason = entry?.reason ? ` ${entry.reason.replaceAll("_", " ")}` : ""; // some refuse with a 200
    const link = h("a", { href: this.context.href("journal", entry?.n) }, "See it in the journal");
    toast(`${name}: ${sent.status}${reason}${wrongness && `, sent with ${wrongness}`}`, sent.ok && !reason ? "good" : "info", link);
  }
}

// Sends a signed request through the gateway that served this page.
export async function sendHere({ method, url, headers, body }) {
  const allowed = Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "host"));
  return fetch(url, { method, headers: allowed, body: body || undefined, credentials: "omit", cache: "no-store" });
}

// The entry in the journal of a request that was sent after another; undefined where it is not found.
export async function entryOf(path, provider, { method, url }, after) {
  const list = await call("GET", `${path}/requests?provider=${segment(provider)}&last=20`, undefined, { quiet: true }).catch(() => null);
  const { pathname, search } = new URL(url, document.baseURI);
  const mine = (list?.requests ?? []).filter((e) => e.n > after && e.method === method);
  return mine.findLast((e) => (pathname + search).endsWith(e.target) || e.target.endsWith(pathname + search)) ?? mine.at(-1);
}

// Returns the request with a mistake in it, and the mistake. Takes the signature of another method where it stands in a header; else changes one character of
// the signature, or of the key where there is none.
function spoil(request, twin) {
  if (twin && Object.keys(request.headers).some((name) => /signature|authorization/i.test(name))) return [{ ...request, headers: twin.headers }, "the signature of another method"];
  const other = (c) => (c === "0" ? "1" : "0");
  const change = (text) => text.slice(0, -4) + other(text.at(-4)) + text.slice(-3);
  const names = Object.keys(request.headers).filter((name) => SIGNED.test(name));
  const name = names.find((n) => /sign/i.test(n)) ?? names[0];
  if (name) return [{ ...request, headers: { ...request.headers, [name]: change(request.headers[name]) } }, `a wrong character in ${name}`];
  return [{ ...request, url: change(request.url) }, "a wrong character in its signature"];
}
