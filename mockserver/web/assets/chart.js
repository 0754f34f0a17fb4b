// Plots: requests and latencies by the second, and a row of the ledger over sandbox time.

import { duration, h, replace, s } from "./dom.js";
import { percentile } from "./store.js";

const SECONDS = 120;
const WIDTH = 600;
const HEIGHT = 64;

export class Traffic {
  constructor(store) {
    this.store = store;
    this.bars = s("path", { class: "bar" });
    this.refused = s("path", { class: "bar refused" });
    this.p50 = s("path", { class: "line p50" });
    this.p99 = s("path", { class: "line p99" });
    const plot = (...paths) => s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "plot", "aria-hidden": "true" }, paths);
    this.figures = ["Requests/s", "Refused/s", "p50", "p99"].map((label) => {
      const value = h("dd", {}, "0");
      return { value, node: h("div", { class: `figure ${label.split("/")[0].toLowerCase()}` }, h("dt", {}, label), value) };
    });
    this.peak = h("span", { class: "peak" });
    this.slowest = h("span", { class: "peak" });
    this.node = h("section", { class: "traffic", "aria-label": "Traffic of the last two minutes" },
      h("dl", { class: "figures" }, this.figures.map((f) => f.node)),
      h("div", { class: "plots" },
        h("div", { class: "plot-box" }, h("span", { class: "plot-label" }, "Requests and refusals per second"), this.peak, plot(this.bars, this.refused)),
        h("div", { class: "plot-box" }, h("span", { class: "plot-label" }, "Latency, p50 and p99"), this.slowest, plot(this.p99, this.p50))));
    this.draw();
  }

  draw() {
    this.drawn = performance.now();
    const series = this.store.series(SECONDS);
    const step = WIDTH / SECONDS;
    const top = Math.max(5, ...series.map((c) => c.count));
    const y = (value, most) => (HEIGHT - (value / most) * (HEIGHT - 4)).toFixed(1);
    const bar = (pick) => series.map((c, i) => (pick(c) ? `M${(i * step + 0.6).toFixed(1)} ${HEIGHT}V${y(pick(c), top)}h${(step - 1.2).toFixed(1)}V${HEIGHT}Z` : "")).join("");
    this.bars.setAttribute("d", bar((c) => c.count));
    this.refused.setAttribute("d", bar((c) => c.refused));
    const quantiles = series.map((c) => [percentile(c.durations, 0.5), percentile(c.durations, 0.99)]);
    const slowest = Math.max(1000, ...quantiles.map((q) => q[1] ?? 0));
    const path = (k) => {
      let pen = "M";
      return quantiles.map((q, i) => {
        if (q[k] === null) { pen = "M"; return ""; }
        const point = `${pen}${((i + 0.5) * step).toFixed(1)} ${y(q[k], slowest)}${pen === "M" ? "h.1" : ""}`;
        pen = "L";
        return point;
      }).join("");
    };
    this.p50.setAttribute("d", path(0));
    this.p99.setAttribute("d", path(1));
    this.peak.textContent = `peak ${top === 5 && !series.some((c) => c.count) ? 0 : Math.max(...series.map((c) => c.count))}`;
    this.slowest.textContent = `peak ${duration(Math.max(0, ...quantiles.map((q) => q[1] ?? 0)))}`;
    const recent = series.slice(-5);
    const sum = (pick) => recent.reduce((total, c) => total + pick(c), 0) / 5;
    const durations = recent.flatMap((c) => c.durations);
    const show = (value) => (value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1));
    const texts = [show(sum((c) => c.count)), show(sum((c) => c.refused)),
      durations.length ? duration(percentile(durations, 0.5)) : "-", durations.length ? duration(percentile(durations, 0.99)) : "-"];
    this.figures[1].node.classList.toggle("some", sum((c) => c.refused) > 0);
    texts.forEach((text, i) => { if (this.figures[i].value.textContent !== String(text)) this.figures[i].value.textContent = text; });
  }
}

// Points are {at, total, held}: milliseconds of sandbox time, and text amounts.
export function amounts(points) {
  if (points.length < 2) return h("p", { class: "muted" }, "The graph begins with the second change that this page sees.");
  const width = 640, height = 120;
  const numbers = points.map((p) => ({ at: p.at, total: Number(p.total), held: Number(p.held) }));
  const first = numbers[0].at, last = numbers.at(-1).at;
  const top = Math.max(...numbers.map((p) => p.total)) || 1;
  const x = (at) => (((at - first) / (last - first || 1)) * width).toFixed(1);
  const y = (value) => (height - (value / top) * (height - 6)).toFixed(1);
  const steps = (pick) => numbers.map((p, i) => (i ? `H${x(p.at)}V${y(p[pick])}` : `M0 ${y(p[pick])}`)).join("");
  const figure = h("figure", { class: "amounts" });
  return replace(figure,
    s("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `Total ${points[0].total} to ${points.at(-1).total}, held ${points[0].held} to ${points.at(-1).held}` },
      s("path", { class: "line total", d: steps("total") }), s("path", { class: "line held", d: steps("held") })),
    h("figcaption", {}, h("span", { class: "key total" }, `total ${points.at(-1).total}`), h("span", { class: "key held" }, `held ${points.at(-1).held}`),
      h("span", { class: "muted" }, `${points.length} points, sandbox time`)));
}
