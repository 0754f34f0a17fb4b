// What the page knows of the chosen sandbox: its last rows, figures by the second, and its clock.

export const ROWS_MAX = 5000;
const SECONDS = 300;
const SAMPLES_MAX = 256; // durations kept of one second
const EMPTY = { operation: "", credential: "", reason: "", note: "", fault: "", delivery: "", explanation: "" }; // what a row leaves out

export class Store extends EventTarget {
  constructor() {
    super();
    this.sandbox = "default";
    this.clear();
    this.epoch = "";
    this.last = 0;
    this.began = 0;
    this.state = "connecting";
  }

  clear() {
    this.rows = [];
    this.total = 0;
    this.missed = 0;
    this.seconds = new Map();
    this.lastByProvider = {};
  }

  choose(sandbox) {
    this.sandbox = sandbox;
    this.epoch = "";
    this.last = 0;
    this.clear();
    this.tell("rows", { reset: true, rows: [] });
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  take(name, data) {
    if (name === "begin") {
      const known = this.epoch;
      if (known && known !== data.epoch) {
        this.clear();
        this.tell("rows", { reset: true, rows: [] });
        this.tell("renewed");
      }
      if (known !== data.epoch) this.last = data.after;
      this.epoch = data.epoch;
      this.began = data.last; // rows up to here are from before
      this.tell("changed", { parts: ["clock", "faults", "settings", "ledger", "world"] });
    } else if (name === "rows") {
      this.add(data);
    } else if (name === "cleared") {
      this.clear();
      this.tell("rows", { reset: true, rows: [] });
    } else if (name === "changed") {
      this.tell("changed", data);
    } else if (name === "gone") {
      this.tell("gone");
    } else if (name === "unread") {
      this.tell("unread", data);
    }
  }

  add({ rows, missed }) {
    const fresh = rows.filter((row) => row.n > this.last).map((row) => ({ ...EMPTY, ...row }));
    if (!fresh.length && !missed) return;
    if (missed && this.last) {
      this.missed += missed;
      fresh.unshift({ gap: missed, n: this.last });
    }
    for (const row of fresh) {
      if (row.gap) continue;
      this.last = row.n;
      this.total += 1;
      this.lastByProvider[row.provider] = row;
      this.measure(row, row.n > this.began ? 0 : this.age(row));
    }
    this.rows.push(...fresh);
    let dropped = 0;
    if (this.rows.length > ROWS_MAX * 1.2) {
      dropped = this.rows.length - ROWS_MAX;
      this.rows.splice(0, dropped);
    }
    this.tell("rows", { rows: fresh, dropped });
  }

  // Milliseconds of real time since a request from before the page; Infinity where that is unknown.
  age(row) {
    const clock = this.clocks?.value;
    if (!clock || clock.frozen) return Infinity;
    const age = (this.clocks.now() - row.time / 1000) / clock.rate;
    return age < 0 ? 0 : age;
  }

  measure(row, age) {
    if (age > SECONDS * 1000) return;
    const second = Math.floor((performance.now() - age) / 1000);
    let cell = this.seconds.get(second);
    if (!cell) {
      this.seconds.set(second, (cell = { count: 0, refused: 0, durations: [] }));
      for (const old of this.seconds.keys()) if (old < performance.now() / 1000 - SECONDS) this.seconds.delete(old);
    }
    cell.count += 1;
    if (row.reason) cell.refused += 1;
    if (cell.durations.length < SAMPLES_MAX) cell.durations.push(row.duration_us);
    else cell.durations[Math.floor(Math.random() * SAMPLES_MAX)] = row.duration_us;
  }

  // The last `n` seconds with the one that runs, oldest first.
  series(n) {
    const now = Math.floor(performance.now() / 1000);
    return Array.from({ length: n }, (_, i) => this.seconds.get(now - n + 1 + i) ?? { count: 0, refused: 0, durations: [] });
  }
}

export function percentile(durations, share) {
  if (!durations.length) return null;
  const sorted = [...durations].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
