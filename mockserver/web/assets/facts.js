// The facts about the providers' APIs, searchable.

import { act, call } from "./api.js";
import { append, empty, h, replace, select } from "./dom.js";
import { bar, links, theme } from "./shell.js";

theme();
const search = h("input", { type: "search", placeholder: "Search id, text or source", "aria-label": "Search the facts", oninput: () => paint() });
const provider = select([["", "All providers"]], "", () => paint(), { "aria-label": "Provider" });
const status = select([["", "Any status"], "documented", "observed", "assumed"], "", () => paint(), { "aria-label": "Status" });
const count = h("span", { class: "muted", role: "status" });
const list = h("section", { class: "card", "aria-label": "Facts" });
append(document.body, [bar(links("Facts")), h("main", { class: "reader", tabindex: "-1" }, h("div", { class: "reader-inner" },
  h("h1", { class: "sr" }, "Facts"), h("p", { class: "lead" }, "What each real API does, where that is known from, and how sure it is. An assumed fact is a choice of this server; a quirk can switch it. The source is a page of the provider's documentation, its OpenAPI document or SDK, a seed of this project, or a decision."),
  h("div", { class: "reader-head" }, search, provider, status, count), list))]);

let facts = [];

// Text with `code` in it.
const prose = (text) => text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));

function paint() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = facts.filter((f) => (!provider.value || f.provider === provider.value) && (!status.value || f.status === status.value)
    && words.every((w) => `${f.id} ${f.fact} ${f.source} ${f.status}`.toLowerCase().includes(w)));
  count.textContent = `${found.length} of ${facts.length}`;
  replace(list, found.length ? found.map((f) => h("article", { class: "fact-row", id: f.id },
    h("div", {}, h("a", { class: "id", href: `#${f.id}` }, f.id), h("p", { class: "meta" }, h("span", { class: `tag ${f.status}` }, f.status), ` ${f.source}`)),
    h("div", {}, h("p", {}, prose(f.fact)), f.proof ? h("p", { class: "meta" }, "Proof: ", h("code", {}, f.proof)) : null))) : empty("No fact matches."));
}

const answer = await act(() => call("GET", "/facts"));
facts = answer?.facts ?? [];
append(provider, [...new Set(facts.map((f) => f.provider))].map((name) => h("option", { value: name }, name)));
paint();
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
