// One request: the explanation, request and response as on the wire, and what can be made of it.

import { act, call } from "./api.js";
import { badge, button, copy, duration, h, line, replace, time, visible } from "./dom.js";
import { tokens } from "./json.js";

const NAMES = Object.fromEntries(["curl", "Python", "JavaScript"].map((name) => [name.toLowerCase(), name]));
const MARKED = /^([\s\S]*?)>>([\s\S]*)<<([\s\S]*)$/;

const FINGERPRINT = /[\w)]:[0-9a-f]{8}\b/;
const ABOUT_FINGERPRINTS = "Eight hex digits behind a colon are the fingerprint of a secret: equal secrets, equal digits.";

// Text with the part that differs marked: the server puts it between >> and <<.
function marked(text, other) {
  const found = MARKED.exec(text);
  if (found) return [line(found[1]), h("mark", {}, line(found[2]) || "∅"), line(found[3])];
  if (!other || MARKED.test(other) || text === other) return [line(text)];
  const most = Math.min(text.length, other.length);
  let start = 0, end = 0;
  while (start < most && text[start] === other[start]) start += 1;
  while (end < most - start && text.at(-1 - end) === other.at(-1 - end)) end += 1;
  if ((start + end) * 2 < most) return [line(text)];
  return [line(text.slice(0, start)), h("mark", {}, line(text.slice(start, text.length - end)) || "∅"), line(text.slice(text.length - end))];
}

export function explanationCard(context, reason, explanation, title = "Why it was refused") {
  if (!explanation) return null;
  const { rule, expected, received, fix } = explanation;
  const refused = line(reason).replaceAll("_", " ");
  if (rule === "fault") {
    const name = received.replace(/^rule /, "");
    return h("section", { class: "explanation", "aria-label": title }, h("h3", {}, h("span", { class: "reason" }, refused), "by a fault rule"),
      h("p", {}, visible(fix), " ", h("a", { href: context.href("faults", name) }, `Open ${line(name)}`)));
  }
  const row = (label, kind, content) => h("div", { class: `compare ${kind}` }, h("dt", {}, label), h("dd", { class: "mono" }, content));
  return h("section", { class: "explanation", "aria-label": title },
    h("h3", {}, h("span", { class: "reason" }, refused), rule.replaceAll("_", " ") === refused ? null : line(rule)),
    h("dl", {}, expected ? row("Expected", "expected", marked(expected, received)) : null,
      received ? row("Received", "received", marked(received, expected)) : null),
    FINGERPRINT.test(`${expected} ${received} ${fix}`) ? h("p", { class: "muted" }, ABOUT_FINGERPRINTS) : null,
    fix ? h("p", { class: "fix" }, h("strong", {}, "To do "), visible(fix)) : null);
}

function headers(rows) {
  const names = Object.entries(rows);
  if (!names.length) return h("p", { class: "muted" }, "No headers.");
  const hidden = names.some(([, value]) => FINGERPRINT.test(value) && value.includes("redacted:"));
  return [h("dl", { class: "headers mono" }, names.map(([name, value]) => [h("dt", {}, line(name)), h("dd", {}, line(value))])), hidden ? h("p", { class: "muted" }, ABOUT_FINGERPRINTS) : null];
}

export function body(text) {
  if (!text) return h("p", { class: "muted" }, "No body.");
  const laid = tokens(text);
  const pre = h("pre", { class: "body mono", tabindex: "0", "aria-label": "Body" });
  if (!laid) return replace(pre, visible(text)) && pre;
  const pretty = () => replace(pre, laid.map(([kind, word]) => (kind === "space" ? word : h("span", { class: `json-${kind}` }, line(word)))));
  const toggle = button("Raw", () => {
    const raw = toggle.textContent === "Raw";
    toggle.textContent = raw ? "Pretty" : "Raw";
    if (raw) replace(pre, visible(text));
    else pretty();
  }, { class: "ghost small" });
  pretty();
  return h("div", { class: "body-box" }, toggle, pre);
}

function wire(entry) {
  const lines = Object.entries(entry.request.headers).map(([name, value]) => `${name}: ${value}`);
  return `${entry.method} ${entry.target} HTTP/1.1\n${lines.join("\n")}\n\n${entry.request.body}`;
}

export function showEntry(context, entry) {
  const signed = async (form) => {
    const answer = await act(() => call("POST", context.path("/sign"), { entry: entry.n, as: form }));
    if (answer) copy(answer.text, form === "pytest" ? "Copied as pytest" : `Copied as ${NAMES[form]}, signed anew`);
  };
  const har = async () => {
    const archive = await act(() => call("GET", context.path(`/requests.har?n=${entry.n}`)));
    if (archive) copy(JSON.stringify(archive, null, 1), "Copied as HAR");
  };
  const verdict = h("div", { class: "verdict", role: "status" });
  const judge = async () => {
    const ask = (sign) => call("POST", context.path("/judge"), { entry: entry.n, sign });
    const received = await ask(false).catch(() => null); // the request may have been dropped
    const signed_ = await act(() => ask(true));
    const same = (judged) => JSON.stringify(judged.explanation) === JSON.stringify(entry.explanation); // shown above
    const say = (judged, how) => (judged ? [h("p", {}, badge(judged.status, judged.reason), judged.accepted ? ` ${how}, it would be accepted.` : ` ${how}, it would be refused: ${judged.reason.replaceAll("_", " ")}.`),
      judged.accepted || same(judged) ? null : explanationCard(context, judged.reason, judged.explanation, how)] : null);
    replace(verdict, say(received, "As sent, judged now"), say(signed_, "Signed again now"),
      entry.reason && entry.explanation?.rule !== "fault" && signed_?.accepted && received && !received.accepted ? h("p", { class: "muted" }, "So nothing but the signature, the key or the time is wrong.") : null);
  };
  const fact = (label, value) => (value ? h("div", {}, h("dt", {}, label), h("dd", {}, value)) : null);
  const actions = h("div", { class: "actions" },
    button("Copy as curl", () => signed("curl")), button("Copy as Python", () => signed("python")), button("Copy as JavaScript", () => signed("javascript")),
    button("Copy as HAR", har, { title: "An HTTP archive, which browsers and proxies read" }), button("Copy as pytest", () => signed("pytest")),
    button("Copy as sent", () => copy(wire(entry), "Copied as sent, secrets redacted"), { title: "The request as on the wire; secrets are redacted" }),
    button("Judge again", judge, { title: "Says what would become of it now, and changes nothing" }),
    context.has("rewind") ? button("Rewind to here", () => context.rewind(entry.n), { title: "Returns the sandbox to its state before this request" }) : null);
  return h("article", { class: "entry", data: { n: entry.n } },
    h("header", {}, h("h2", { class: "mono" }, badge(entry.status, entry.reason), ` ${line(entry.method)} `, h("span", { class: "target" }, line(entry.target))),
      h("dl", { class: "facts" }, fact("No.", String(entry.n)), fact("Provider", entry.provider), fact("Operation", entry.operation), fact("Credential", line(entry.credential)),
        fact("Sandbox time", time(entry.time)), fact("Auth time", time(entry.auth_time)), fact("Took", duration(entry.duration_us)),
        fact("Fault", line(entry.fault)), fact("Delivery", line(entry.delivery)), fact("Note", line(entry.note)))),
    explanationCard(context, entry.reason, entry.explanation), actions, verdict,
    h("section", {}, h("h3", {}, "Request"), h("p", { class: "mono wire" }, `${line(entry.method)} ${line(entry.target)} HTTP/1.1`), headers(entry.request.headers), body(entry.request.body)),
    h("section", {}, h("h3", {}, "Response"), h("p", { class: "mono wire" }, `HTTP/1.1 ${entry.status}`), headers(entry.response.headers), body(entry.response.body)));
}
