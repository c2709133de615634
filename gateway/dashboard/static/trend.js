// The last ten minutes of one metric: from the history, carried on by what comes in live.

import uPlot from "./vendor/uPlot.esm.js";
import { LARGE, PLOT_FONT, attribute, colour, keep, make, ofGateway, say } from "./dom.js";
import { ask } from "./live.js";
import { t } from "./texts.js";
import { clock, number } from "./words.js";

const MINUTES = 10;
const SPAN_S = MINUTES * 60;
const GAP_S = 6; // a longer absence is shown as one
const REFILL_MS = 60000; // what the page missed while it slept comes from the history
const DRAW_MS = 1000;
const HEIGHT = 122 * LARGE;
const BREAKS = { patient: t("trend.new_patient"), session: t("trend.new_session") };
const MARKS_SAID = 3; // breaks that are told in words: more are not readable

export class Trend {
  constructor(section, slot, metric, sideName, leastSpan) {
    Object.assign(this, { section, slot, metric, side: sideName, leastSpan, drawn: -Infinity, problem: "", whose: null });
    this.#begin();
    this.remark = make("p", { className: "remark" });
    this.breaks = make("p", { className: "remark breaks" });
    this.box = make("div", { className: "plot", role: "img" });
    this.table = make("tbody");
    const header = make("tr", {}, make("th", { scope: "col", textContent: t("trend.minute") }),
      ...[t("trend.mean"), t("trend.least"), t("trend.most")].map((text) => make("th", { scope: "col", textContent: text })));
    section.append(
      make("div", { className: "panel-top" },
        make("h2", { textContent: t("trend.last_min", { title: metric.title, minutes: MINUTES, unit_text: metric.unit_text }) }), this.remark),
      this.box, this.breaks,
      make("details", {}, make("summary", { textContent: t("trend.minute_by_minute_as_table") }),
        make("table", {}, make("thead", {}, header), this.table)));
    this.plot = this.#makePlot();
    setInterval(() => this.refill(), REFILL_MS);
    addEventListener("resize", () => this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT }));
  }

  // What is kept of one person: points are [time, value, session], the history's first, then those that came live.
  #begin() {
    Object.assign(this, { past: [], live: [], algorithm: null, newPatient: false, asked: {} });
  }

  async refill() {
    const { whose, algorithm } = this;
    const asked = this.asked = {};
    const query = new URLSearchParams({ slot: this.slot, metric: this.metric.id, side: this.side, minutes: MINUTES });
    if (algorithm) query.set("algorithm", algorithm);
    const answer = await ask(ofGateway(`api/history?${query}`));
    if (asked !== this.asked || whose !== this.whose) return; // asked again since, or for somebody else
    this.problem = answer ? "" : t("trend.history_not_available_live_values");
    if (!answer || !whose || answer.subject !== whose.subject || answer.simulated !== whose.simulated) return;
    let stretch = -1;
    this.past = answer.rows.map(([end, value, quality]) => {
      while (answer.sessions[stretch + 1]?.from_us <= end) stretch += 1;
      return [end / 1e6, quality === "invalid" ? null : value, answer.sessions[stretch]?.session ?? ""];
    });
    this.newPatient = answer.new_patient;
    const newest = this.past.at(-1)?.[0] ?? 0;
    this.live = this.live.filter(([time]) => time > newest);
    this.drawn = -Infinity;
  }

  take(shown, { subject, session, simulated }, now) {
    if (this.whose?.subject !== subject || this.whose.simulated !== simulated) {
      const first = this.whose === null;
      this.#begin(); // nothing of the one before stays
      this.newPatient = !first;
      this.whose = { subject, simulated };
      this.algorithm = shown?.algorithm ?? null; // known at once, so that the history is asked once
      this.drawn = -Infinity;
      this.refill();
    }
    if (shown) {
      if (shown.algorithm !== this.algorithm) this.#follow(shown.algorithm);
      const time = shown.end_us / 1e6;
      const newest = this.live.at(-1)?.[0] ?? this.past.at(-1)?.[0] ?? 0;
      if (time > newest) this.live.push([time, shown.quality === "invalid" ? null : shown.value, session]);
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
    this.marks = points.length && this.newPatient ? [[points[0][0], BREAKS.patient]] : [];
    let before = points[0]?.[2];
    for (const [time, value, session] of points) {
      const last = times.at(-1);
      const other = session !== before;
      if (other) this.marks.push([time, BREAKS.session]);
      if (last !== undefined && (other || time - last > GAP_S)) { times.push(last + 0.001); values.push(null); }
      times.push(time);
      values.push(value);
      before = session;
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

  // Where the curve breaks because it is of another patient or session: a line across the plot, and words below it.
  #drawMarks(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const [time] of this.marks ?? []) {
      const x = Math.round(plot.valToPos(time, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  #breakWords() {
    return this.marks.slice(-MARKS_SAID).map(([time, what]) => (what === BREAKS.patient
      ? t("trend.new_patient_from", { named: this.whose.subject || t("trend.not_named"), clock: clock(time, false) })
      : t("trend.from", { what, clock: clock(time, false) }))).join(" · ");
  }

  #tell(points, now) {
    const digits = this.metric.digits;
    const values = points.map(([, value]) => value);
    const range = values.length ? t("trend.to", { number: number(Math.min(...values), digits), number2: number(Math.max(...values), digits) }) : t("trend.no_values_yet");
    say(this.remark, [range, this.problem].filter(Boolean).join(" · "));
    const breaks = this.#breakWords();
    say(this.breaks, breaks);
    const label = t("trend.over_the_last_minutes", { title: this.metric.title, minutes: MINUTES, range, unit_text: values.length ? this.metric.unit_text : "" });
    attribute(this.box, "aria-label", [label.trim(), breaks].filter(Boolean).join("; "));
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
    const axis = { stroke: colour("soft"), font: PLOT_FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    return new uPlot({
      width: this.box.clientWidth || 400, height: HEIGHT, hooks: { draw: [(plot) => this.#drawMarks(plot)] },
      legend: { show: false }, cursor: { show: false }, select: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: true, auto: false }, y: { auto: false, range: (_u, min, max) => [min, max] } },
      axes: [
        { ...axis, size: 22 * LARGE, gap: 2, values: (_u, splits) => splits.map((time) => clock(time, false)), incrs: [120, 300] },
        { ...axis, size: 46 * LARGE, gap: 4, space: 26 * LARGE },
      ],
      series: [{}, { stroke: colour("accent"), width: 2 * LARGE, spanGaps: false, points: { show: false } }],
    }, [[0, 1], [null, null]], this.box);
  }
}
