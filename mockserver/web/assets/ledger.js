// The ledger: rows, edited exactly as text, moved and held; a graph of a row over sandbox time.

import { act, call, segment } from "./api.js";
import { amounts } from "./chart.js";
import { button, dialog, empty, field, h, iconButton, line, replace, select, toast } from "./dom.js";

const POINTS_MAX = 500; // of one row
const GRAPHS_MAX = 200; // rows with points
const SHOWN_MAX = 200; // rows of an account

export class Ledger {
  constructor(context) {
    this.context = context;
    this.points = new Map();
    this.provider = select([], undefined, () => this.accounts(), { "aria-label": "Provider" });
    this.account = select([], undefined, () => this.load(), { "aria-label": "Account" });
    this.search = h("input", { type: "search", placeholder: "Asset or venue", "aria-label": "Asset or venue", oninput: () => this.paint() });
    this.rows = h("div", {});
    this.graph = h("div", {});
    this.node = h("div", { class: "panel" },
      h("section", { class: "card" }, h("header", {}, h("h2", {}, "Ledger"), h("div", { class: "actions" }, this.provider, this.account, this.search, button("Add a row", () => this.edit(null), { class: "primary" }))), this.rows),
      h("section", { class: "card" }, h("h2", {}, "Over sandbox time"), this.graph));
    context.store.addEventListener("changed", ({ detail }) => { if (detail.parts.includes("ledger") || detail.parts.includes("world")) this.queue(); });
  }

  queue() {
    if (this.timer || !this.node.isConnected) return;
    this.timer = setTimeout(() => { this.timer = null; this.load(); }, 150);
  }

  async show() {
    const ledger = await act(() => call("GET", this.context.path("/ledger?limit=1000")));
    if (!ledger) return this.node;
    const { next, ...providers } = ledger;
    this.all = providers;
    const chosen = this.provider.value;
    replace(this.provider, Object.keys(providers).map((n) => h("option", { value: n }, n)));
    if (chosen in providers) this.provider.value = chosen;
    await this.accounts();
    return this.node;
  }

  async accounts() {
    const chosen = this.account.value;
    const accounts = Object.values(this.all[this.provider.value] ?? {});
    replace(this.account, accounts.map((a) => h("option", { value: a.account }, a.label === a.account ? line(a.account) : `${line(a.label)}`)));
    if (accounts.some((a) => a.account === chosen)) this.account.value = chosen;
    await this.load();
  }

  path(row) {
    const place = `/ledger/${segment(this.provider.value)}/${segment(this.account.value)}`;
    return this.context.path(row ? `${place}/${segment(row.asset)}?venue=${segment(row.venue)}` : place);
  }

  async load() {
    if (!this.account.value) {
      replace(this.rows, empty("This provider has no accounts."));
      return;
    }
    const account = await act(() => call("GET", this.path()));
    if (!account) return;
    this.balances = account.balances;
    await this.context.clocks.load(); // a restored sandbox is earlier
    const at = this.context.clocks.now();
    for (const row of account.balances.slice(0, SHOWN_MAX)) {
      const key = this.key(row);
      const points = this.points.get(key) ?? [];
      while (points.length && points.at(-1).at > at) points.pop(); // what was before a restore is undone
      const last = points.at(-1);
      if (!last || last.total !== row.total || last.held !== row.held) points.push({ at, total: row.total, held: row.held });
      if (points.length > POINTS_MAX) points.shift();
      this.points.delete(key);
      this.points.set(key, points);
      if (this.points.size > GRAPHS_MAX) this.points.delete(this.points.keys().next().value);
    }
    this.paint();
  }

  key(row) {
    return JSON.stringify([this.context.store.sandbox, this.provider.value, this.account.value, row.asset, row.venue]);
  }

  paint() {
    const wanted = this.search.value.toLowerCase();
    const rows = (this.balances ?? []).filter((r) => !wanted || `${r.asset} ${r.venue}`.toLowerCase().includes(wanted));
    if (!rows.length) {
      replace(this.rows, empty("No rows.", "Add one, or choose another account."));
      replace(this.graph, empty("Choose a row."));
      return;
    }
    if (!rows.some((r) => this.key(r) === this.chosen)) this.chosen = this.key(rows[0]);
    const columns = ["Asset", "Venue", "Total", "Held", "Available", ""];
    replace(this.rows, h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Rows" }, h("table", { class: "stack" }, h("thead", {}, h("tr", {}, columns.map((c, i) => h("th", { scope: "col", class: i > 1 && i < 5 ? "right" : "" }, c || h("span", { class: "sr" }, "Actions"))))),
      h("tbody", {}, rows.slice(0, SHOWN_MAX).map((row) => {
        const name = line(`${row.asset} ${row.venue}`.trim());
        const choose = () => { this.chosen = this.key(row); this.paint(); };
        return h("tr", { class: this.key(row) === this.chosen ? "chosen" : "" }, h("td", {}, button(line(row.asset), choose, { class: "link mono", "aria-label": `Graph of ${name}` })), h("td", { class: "mono" }, line(row.venue)),
          ["total", "held", "available"].map((m) => h("td", { class: "right mono", data: { label: m } }, row[m])),
          h("td", { class: "right nowrap" }, button("Edit", () => this.edit(row), { "aria-label": `Edit ${name}` }), button("Move", () => this.move(row), { "aria-label": `Move ${name}` }), iconButton("trash", `Delete ${name}`, () => this.drop(row))));
      })))), rows.length > SHOWN_MAX ? h("p", { class: "muted" }, `${rows.length - SHOWN_MAX} more rows: search for an asset.`) : null);
    const row = rows.find((r) => this.key(r) === this.chosen);
    replace(this.graph, h("h3", { class: "mono" }, line(`${row.asset} ${row.venue}`.trim())), amounts(this.points.get(this.chosen) ?? []));
  }

  edit(row) {
    const input = (value, props = {}) => h("input", { type: "text", class: "mono", value, ...props });
    const asset = input(row?.asset ?? "", { readonly: Boolean(row) }), venue = input(row?.venue ?? "", { readonly: Boolean(row) });
    const total = input(row?.total ?? "0", { inputmode: "decimal" }), held = input(row?.held ?? "0", { inputmode: "decimal" });
    dialog(row ? `Edit ${line(row.asset)}` : "Add a row", [field("Asset", asset), field("Venue", venue, "Network, exchange or connection, where there is one."), field("Total", total, "Every digit is kept."), field("Held", held)], [["Save", async () => {
      await call("PUT", this.path({ asset: asset.value, venue: venue.value }), { total: total.value.trim(), held: held.value.trim() });
      await this.load();
    }]]);
    const first = row ? total : asset;
    first.focus();
    first.select();
  }

  move(row) {
    const kind = select([["credit", "Credit: adds to the total"], ["debit", "Debit: takes from what is available"], ["hold", "Hold a part of what is available"], ["release", "Release a part of what is held"]], "credit");
    const amount = h("input", { type: "text", class: "mono", inputmode: "decimal", value: "1" });
    dialog(`Move ${line(row.asset)}`, [field("Movement", kind), field("Amount", amount)], [["Move", async () => {
      await call("POST", this.path(row).replace("?", "/moves?"), { [kind.value]: amount.value.trim() });
      await this.load();
    }]]);
  }

  drop(row) {
    dialog(`Delete ${line(row.asset)}?`, h("p", {}, "The row is removed from the account."), [["Delete", async () => {
      await call("DELETE", this.path(row));
      toast(`Deleted ${row.asset} ${row.venue}`, "good");
      await this.load();
    }, "danger"]]);
  }
}
