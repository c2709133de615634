// The last ten minutes of one metric: from the history, carried on by what comes in live.

import uPlot from "./vendor/uPlot.esm.js";
import { attribute, colour, keep, make, say } from "./dom.js";
import { clock, number } from "./words.js";

const MINUTES = 10;
const SPAN_S = MINUTES * 60;
const GAP_S = 6; // a longer absence is shown as one
const REFILL_MS = 60000; // what the page missed while it slept comes from the history
const DRAW_MS = 1000;
const HEIGHT = 122;

export class Trend {
  constructor(section, slot, metric, sideName, leastSpan) {
    Object.assign(this, { section, slot, metric, side: sideName, leastSpan, algorithm: null, past: [], live: [], drawn: -Infinity, problem: "" });
    this.remark = make("p", { className: "remark" });
    this.box = make("div", { className: "plot", role: "img" });
    this.table = make("tbody");
    const header = make("tr", {}, make("th", { scope: "col", textContent: "Minute" }),
      ...["Mean", "Least", "Most"].map((text) => make("th", { scope: "col", textContent: text })));
    section.append(
      make("div", { className: "panel-top" },
        make("h2", { textContent: `${metric.title}, last ${MINUTES} min (${metric.unit_text})` }), this.remark),
      this.box,
      make("details", {}, make("summary", { textContent: "Minute by minute, as a table" }),
        make("table", {}, make("thead", {}, header), this.table)));
    this.plot = this.#makePlot();
    this.refill();
    setInterval(() => this.refill(), REFILL_MS);
    addEventListener("resize", () => this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT }));
  }

  async refill() {
    const query = new URLSearchParams({ slot: this.slot, metric: this.metric.id, side: this.side, minutes: MINUTES });
    if (this.algorithm) query.set("algorithm", this.algorithm);
    const response = await fetch(`/api/history?${query}`).catch(() => null);
    this.problem = response?.ok ? "" : "history not available, live values only";
    if (!response?.ok) return;
    const { rows } = await response.json();
    this.past = rows.map(([end, value, quality]) => [end / 1e6, quality === "invalid" ? null : value]);
    const newest = this.past.at(-1)?.[0] ?? 0;
    this.live = this.live.filter(([time]) => time > newest);
    this.drawn = -Infinity;
  }

  take(shown, now) {
    if (shown) {
      if (shown.algorithm !== this.algorithm) this.#follow(shown.algorithm);
      const time = shown.end_us / 1e6;
      const newest = this.live.at(-1)?.[0] ?? this.past.at(-1)?.[0] ?? 0;
      if (time > newest) this.live.push([time, shown.quality === "invalid" ? null : shown.value]);
    }
    if (performance.now() - this.drawn < DRAW_MS) return;
    this.drawn = performance.now();
    this.#draw(now);
  }

  // Feet and lower back may both tell a metric: one line is one algorithm.
  #follow(algorithm) {
    const first = this.algorithm === null;
    this.algorithm = algorithm;
    if (!first) this.live = [];
    this.past = [];
    this.refill();
  }

  #draw(now) {
    const from = now - SPAN_S;
    [this.past, this.live] = [this.past, this.live].map((points) => points.filter(([time]) => time >= from));
    const points = [...this.past, ...this.live];
    const [times, values] = [[], []];
    for (const [time, value] of points) {
      const last = times.at(-1);
      if (last !== undefined && time - last > GAP_S) { times.push(last + 0.001); values.push(null); }
      times.push(time);
      values.push(value);
    }
    const numbers = values.filter((value) => value !== null);
    const [low, high] = numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [this.metric.low ?? 0, this.metric.high ?? 1];
    const spare = Math.max(0, this.leastSpan - (high - low)) / 2 + (high - low) * 0.08;
    this.plot.batch(() => {
      this.plot.setData([times.length ? times : [from], values.length ? values : [null]], false);
      this.plot.setScale("y", { min: Math.max(0, low - spare), max: high + spare });
      this.plot.setScale("x", { min: from, max: now });
    });
    this.#tell(points.filter(([, value]) => value !== null), now);
  }

  #tell(points, now) {
    const digits = this.metric.digits;
    const values = points.map(([, value]) => value);
    const range = values.length ? `${number(Math.min(...values), digits)} to ${number(Math.max(...values), digits)}` : "no values yet";
    say(this.remark, [range, this.problem].filter(Boolean).join(" · "));
    const label = `${this.metric.title} over the last ${MINUTES} minutes: ${range} ${values.length ? this.metric.unit_text : ""}`;
    attribute(this.box, "aria-label", label.trim());
    const rows = Array.from({ length: MINUTES }, (_, i) => {
      const start = (Math.floor(now / 60) - i) * 60;
      const within = points.filter(([time]) => time >= start && time < start + 60).map(([, value]) => value);
      const three = within.length ? [within.reduce((sum, x) => sum + x, 0) / within.length, Math.min(...within), Math.max(...within)] : [null, null, null];
      return [clock(start, false), ...three.map((value) => number(value, digits))];
    });
    keep(this.table, rows, () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td"), make("td")),
      (row, texts) => texts.forEach((text, i) => say(row.children[i], text)));
  }

  #makePlot() {
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    return new uPlot({
      width: this.box.clientWidth || 400, height: HEIGHT,
      legend: { show: false }, cursor: { show: false }, select: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: true, auto: false }, y: { auto: false, range: (_u, min, max) => [min, max] } },
      axes: [
        { ...axis, size: 22, gap: 2, values: (_u, splits) => splits.map((time) => clock(time, false)), incrs: [120, 300] },
        { ...axis, size: 46, gap: 4, space: 26 },
      ],
      series: [{}, { stroke: colour("accent"), width: 2, spanGaps: false, points: { show: false } }],
    }, [[0, 1], [null, null]], this.box);
  }
}
