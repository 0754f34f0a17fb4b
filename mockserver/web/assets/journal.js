// The journal as it happens: a list of rows that draws only what is in sight, filters, and a detail.

import { act, call, segment } from "./api.js";
import { Traffic } from "./chart.js";
import { append, badge, button, clockTime, duration, empty, h, icon, iconButton, line, replace, select } from "./dom.js";
import { showEntry } from "./entry.js";

const WIDE_ROW = 30;
const NARROW_ROW = 54;
const DRAW_EVERY = 120; // milliseconds

export class Journal {
  constructor(context) {
    this.context = context;
    this.store = context.store;
    this.filter = { provider: "", status: "", reason: "", text: "", refused: false };
    this.paused = false;
    this.view = []; // the rows that match, oldest first
    this.pool = [];
    this.selected = null;
    this.traffic = new Traffic(this.store);
    this.build();
    this.store.addEventListener("rows", ({ detail }) => this.take(detail));
    setInterval(() => { if (this.node.isConnected) { this.traffic.draw(); this.reasons(); } }, 1000);
    new ResizeObserver(() => this.measure()).observe(this.scroller);
  }

  build() {
    const f = this.filter;
    const apply = () => this.refilter();
    this.provider = select([["", "All providers"]], "", (v) => { f.provider = v; apply(); }, { "aria-label": "Provider" });
    this.status = select([["", "Any status"], ["2", "2xx"], ["3", "3xx"], ["4", "4xx"], ["5", "5xx"]], "", (v) => { f.status = v; apply(); }, { "aria-label": "Status" });
    this.reason = select([["", "Any reason"]], "", (v) => { f.reason = v; apply(); }, { "aria-label": "Reason" });
    this.text = h("input", { type: "search", placeholder: "Filter: target, credential, explanation", "aria-label": "Text", oninput: (e) => { f.text = e.target.value.toLowerCase(); apply(); } });
    this.only = h("input", { type: "checkbox", id: "only-refused", onchange: (e) => { f.refused = e.target.checked; apply(); } });
    this.pauser = h("button", { type: "button", class: "ghost", onclick: () => this.pause() }, icon("pause"), h("span", {}, "Pause"));
    this.counts = h("span", { class: "counts muted" });
    const clear = button("Clear", () => act(() => call("DELETE", this.context.path("/requests")), "Deleted the entries of the journal"), { class: "ghost", title: "Deletes the entries of the journal" });
    const har = button("HAR", () => this.archive(), { class: "ghost", title: "Saves the journal as an HTTP archive" });
    const columns = ["Time", "Provider", "Method", "Target", "Status", "Credential", "Duration", "Fault", "Explanation"];
    this.head = h("div", { class: "row head", role: "row" }, columns.map((c) => h("div", { role: "columnheader", class: `c-${c.toLowerCase()}` }, c)));
    this.spacer = h("div", { class: "spacer", role: "rowgroup" });
    this.scroller = h("div", { class: "scroller", onscroll: () => this.schedule() }, this.spacer);
    this.grid = h("div", { class: "grid", role: "grid", tabindex: "0", "aria-label": "Requests, newest first", onkeydown: (e) => this.key(e) },
      h("div", { role: "rowgroup", class: "head-group" }, this.head), this.scroller);
    this.nothing = h("div", { class: "nothing" });
    this.detail = h("aside", { class: "detail", "aria-label": "Request", hidden: true });
    this.node = h("div", { class: "journal" }, this.traffic.node,
      h("div", { class: "filters", role: "search" }, this.provider, this.status, this.reason, this.text,
        h("label", { class: "check", for: "only-refused" }, this.only, "Only refused"), this.pauser, clear, har, this.counts),
      h("div", { class: "split" }, h("div", { class: "list" }, this.grid, this.nothing), this.detail));
  }

  show() {
    const names = Object.keys(this.context.providers);
    const chosen = this.filter.provider;
    replace(this.provider, h("option", { value: "" }, "All providers"), names.map((n) => h("option", { value: n }, n)));
    this.provider.value = chosen;
    this.measure();
    this.refilter();
    return this.node;
  }

  reasons() {
    const known = [...new Set(this.store.rows.map((r) => r.reason).filter(Boolean))].sort();
    if (this.known === known.join() || document.activeElement === this.reason) return;
    this.known = known.join();
    const chosen = this.filter.reason;
    if (chosen && !known.includes(chosen)) known.push(chosen);
    replace(this.reason, h("option", { value: "" }, "Any reason"), known.map((r) => h("option", { value: r }, r)));
    this.reason.value = chosen;
  }

  matches(row) {
    const f = this.filter;
    if (row.gap) return true;
    return (!f.provider || row.provider === f.provider) && (!f.status || String(row.status)[0] === f.status)
      && (!f.reason || row.reason === f.reason) && (!f.refused || row.reason)
      && (!f.text || `${row.target}\n${row.credential}\n${row.explanation}\n${row.operation}\n${row.fault}\n${row.note}`.toLowerCase().includes(f.text));
  }

  refilter() {
    this.view = this.store.rows.filter((row) => this.matches(row));
    this.schedule();
  }

  take({ rows, reset, dropped }) {
    if (this.paused && !reset) {
      this.held = (this.held || 0) + rows.length;
      this.schedule();
      return;
    }
    if (reset) {
      this.view = [];
      this.close();
    } else {
      const fresh = rows.filter((row) => this.matches(row));
      this.view.push(...fresh);
      if (dropped) {
        const first = this.store.rows[0]?.n ?? 0;
        const cut = this.view.findIndex((row) => row.n >= first);
        if (cut > 0) this.view.splice(0, cut);
      }
      // Who has scrolled down keeps sight of the same rows.
      if (this.node.isConnected && performance.now() - this.traffic.drawn > 500) this.traffic.draw();
      if (this.scroller.scrollTop > 0) this.shift = (this.shift || 0) + fresh.length;
    }
    this.schedule();
  }

  pause() {
    this.paused = !this.paused;
    replace(this.pauser, icon(this.paused ? "play" : "pause"), h("span", {}, this.paused ? "Resume" : "Pause"));
    this.pauser.setAttribute("aria-pressed", this.paused);
    if (!this.paused) {
      this.held = 0;
      this.refilter();
    }
  }

  schedule() {
    if (this.timer || !this.node.isConnected) return;
    const wait = Math.max(0, DRAW_EVERY - (performance.now() - (this.drawn || 0)));
    this.timer = setTimeout(() => requestAnimationFrame(() => { this.timer = null; this.draw(); }), wait);
  }

  measure() {
    const width = this.scroller.clientWidth;
    this.narrow = width > 0 && width < 700;
    this.grid.classList.toggle("narrow", this.narrow);
    this.grid.classList.toggle("slim", width > 0 && width < 1050);
    this.height = this.narrow ? NARROW_ROW : WIDE_ROW;
    this.schedule();
  }

  draw() {
    this.drawn = performance.now();
    const { view, height } = this;
    const total = view.length;
    this.spacer.style.height = `${total * height}px`;
    if (this.shift) {
      this.scroller.scrollTop += this.shift * height;
      this.shift = 0;
    }
    const wanted = this.revealed ? view.findLastIndex((row) => row.n === this.revealed && !row.gap) : -1;
    if (wanted >= 0) {
      this.revealed = 0;
      const top = (total - 1 - wanted) * height;
      if (top < this.scroller.scrollTop || top + height > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = top;
    }
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - 4);
    const count = Math.min(total - first, Math.ceil(this.scroller.clientHeight / height) + 8);
    while (this.pool.length < count) this.pool.push(this.blank());
    this.pool.forEach((slot, i) => {
      const at = first + i;
      const row = i < count ? view[total - 1 - at] : undefined;
      slot.node.hidden = !row;
      if (row) this.paint(slot, row, at);
    });
    const active = this.pool.find((slot) => slot.row && slot.row.n === this.selected && !slot.node.hidden);
    if (active) this.grid.setAttribute("aria-activedescendant", active.node.id);
    else this.grid.removeAttribute("aria-activedescendant");
    this.grid.setAttribute("aria-rowcount", total + 1);
    this.summary(total);
  }

  summary(total) {
    const { store } = this;
    const parts = [`${total.toLocaleString("en")} of ${store.rows.length.toLocaleString("en")} shown`];
    if (this.held) parts.push(`${this.held.toLocaleString("en")} waiting`);
    if (store.missed) parts.push(`${store.missed.toLocaleString("en")} missed`);
    this.counts.textContent = parts.join(" · ");
    const none = total === 0;
    this.nothing.hidden = !none;
    if (none) {
      const filtered = store.rows.length > 0;
      const key = `${filtered}`;
      if (this.nothing.dataset.kind !== key) {
        this.nothing.dataset.kind = key;
        replace(this.nothing, filtered
          ? empty("No request matches the filters.")
          : [empty("No request yet.", "Point your client at a base URL below Providers, or send a signed request from there."),
            h("a", { class: "button primary", href: this.context.href("providers") }, "Open Providers")]);
      }
    }
  }

  blank() {
    const cell = (name) => h("div", { class: `c-${name}`, role: "gridcell" });
    const cells = Object.fromEntries(["time", "provider", "method", "target", "status", "credential", "duration", "fault", "explanation"].map((n) => [n, cell(n)]));
    const node = h("div", { class: "row", role: "row", id: `row-${this.pool.length}` }, Object.values(cells));
    const target = [h("span", {}), h("span", {})];
    append(cells.target, target);
    const slot = { node, cells, target, row: null };
    node.addEventListener("click", () => slot.row && !slot.row.gap && this.open(slot.row.n));
    this.spacer.append(node);
    return slot;
  }

  paint(slot, row, at) {
    slot.node.style.transform = `translateY(${at * this.height}px)`;
    slot.node.setAttribute("aria-rowindex", at + 2);
    slot.node.setAttribute("aria-selected", row.n === this.selected);
    slot.node.classList.toggle("selected", row.n === this.selected);
    if (slot.row === row) return;
    slot.row = row;
    const { cells } = slot;
    slot.node.className = `row${row.gap ? " gap" : row.reason ? " refused" : ""}${row.n === this.selected ? " selected" : ""}`;
    if (row.gap) {
      for (const [name, cell] of Object.entries(cells)) if (name !== "target") cell.textContent = "";
      slot.target[1].textContent = "";
      slot.target[0].textContent = `${row.gap.toLocaleString("en")} requests are not shown: the page fell behind`;
      return;
    }
    cells.time.textContent = clockTime(row.time);
    cells.provider.textContent = row.provider;
    cells.method.textContent = line(row.method);
    const target = line(row.target);
    const [path] = target.split("?", 1);
    const end = path.length > 24 ? path.length - 14 : target.length; // the end of a path stays in sight
    slot.target[0].textContent = target.slice(0, end);
    slot.target[1].textContent = end < path.length ? path.slice(end) + (target.length > path.length ? "?…" : "") : "";
    cells.target.title = target;
    replace(cells.status, badge(row.status, row.reason));
    cells.credential.textContent = line(row.credential);
    cells.duration.textContent = duration(row.duration_us);
    const fault = [row.fault, row.delivery].filter(Boolean).join(": ");
    cells.fault.textContent = line(fault);
    cells.fault.title = line(fault);
    const why = [row.reason.replaceAll("_", " "), row.explanation, !row.reason && row.note].filter(Boolean).join(" · ");
    cells.explanation.textContent = line(why);
    cells.explanation.title = line(why);
  }

  key(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9, j: 1, k: -1 };
    if (event.target.closest("input, select, textarea, button")) return;
    if (event.key === "Enter" && this.selected) return this.open(this.selected);
    if (!(event.key in moves) || !this.view.length) return undefined;
    event.preventDefault();
    const shown = this.view.filter((row) => !row.gap);
    const here = shown.findIndex((row) => row.n === this.selected);
    const next = Math.min(shown.length - 1, Math.max(0, (here < 0 ? shown.length : here) - moves[event.key]));
    this.selected = shown[next].n;
    const at = this.view.length - 1 - this.view.indexOf(shown[next]);
    const top = at * this.height, { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    if (top + this.height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height - clientHeight;
    if (!this.detail.hidden) this.open(this.selected);
    this.schedule();
    return undefined;
  }

  // Opens the request that the address names; without one, the address names what is open.
  route(item) {
    if (!item) return this.address();
    const n = Number(item);
    if (this.selected === n && !this.detail.hidden) return undefined;
    this.revealed = n;
    return this.open(n);
  }

  address() {
    if (!this.node.isConnected || !location.hash.includes("/journal")) return;
    history.replaceState(null, "", this.context.href("journal", this.detail.hidden ? "" : this.selected));
  }

  // Closes the detail, and goes back to the list.
  leave() {
    if (this.detail.hidden) return;
    this.close();
    this.grid.focus();
  }

  async open(n) {
    this.selected = n;
    this.schedule();
    const entry = await act(() => call("GET", this.context.path(`/requests/${segment(n)}`)));
    if (!entry || this.selected !== n) return;
    this.detail.hidden = false;
    this.node.classList.add("opened");
    this.address();
    const closer = iconButton("close", "Close the request", () => this.leave(), { class: "icon-button closer" });
    replace(this.detail, h("div", { class: "detail-scroll", tabindex: "0", role: "region", "aria-label": `Request ${n}` }, showEntry(this.context, entry)), closer);
    this.measure();
  }

  close() {
    this.selected = null;
    this.detail.hidden = true;
    this.node.classList.remove("opened");
    this.address();
    this.measure();
  }

  async archive() {
    const har = await act(() => call("GET", this.context.path("/requests.har")));
    if (har) this.context.save(`${this.store.sandbox}.har`, JSON.stringify(har, null, 1));
  }
}
