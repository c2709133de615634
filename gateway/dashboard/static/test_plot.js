// The movement of a test: what a sensor saw, what was found in it, and a start and an end that can be dragged.

import uPlot from "./vendor/uPlot.esm.js";
import { $, LARGE, PLOT_FONT, attribute, colour, keep, make, say } from "./dom.js";
import { t } from "./texts.js";
import { long, number, sideWords } from "./words.js";

const HEIGHT = 240 * LARGE;
const AROUND_S = 4; // shown before the start and behind the end
const GRIP = 44; // pixels: a line is taken hold of from so far
const DASH = [6, 5];
const SIGNALS = { acc: [t("test_plot.size_of_the_acceleration"), "m/s²"], gyr: [t("test_plot.speed_of_turning"), "°/s"] };
const EVENTS = {
  initial_contact: t("test_plot.foot_on_the_floor"), u_turn_angle: t("test_plot.turn"), turn_angle: t("test_plot.turn"), sit_to_stand_time: t("test_plot.rise"), stand_to_sit_time: t("test_plot.sitting_down"),
};

export class MovementPlot {
  // `moved(start_us, end_us)` hears of what is dragged.
  constructor(moved) {
    Object.assign(this, { moved, found: null, right: null, editable: false, held: "", data: null });
    $("events-table").append(
      make("thead", {}, make("tr", {}, ...[t("common.what"), t("common.side"), t("test_plot.from_s"), t("test_plot.to_s")].map((text) => make("th", { scope: "col" }, text)))), make("tbody"));
    addEventListener("resize", () => this.plot?.setSize({ width: $("plot").clientWidth, height: HEIGHT }));
  }

  // `about`: {trace, events, signal, zero_us}; times on the plot count from `zero_us`.
  take(about) {
    this.data = about;
    this.#draw();
  }

  // What was found, and what it is corrected to: {start_us, end_us} each.
  mark(found, right, editable) {
    const other = found?.start_us !== this.found?.start_us;
    Object.assign(this, { found, right, editable });
    if (other || !this.plot) this.#draw();
    else this.plot.redraw();
    this.#tell();
  }

  seconds(us) {
    return (us - this.data.zero_us) / 1e6;
  }

  #draw() {
    this.plot?.destroy();
    this.plot = null;
    if (!this.data) return;
    const { trace, events, signal } = this.data;
    const times = trace ? trace[signal].map((_, i) => this.seconds(trace.start_us + i * trace.step_us)) : [];
    const values = trace ? trace[signal] : [];
    const ends = this.found ? [this.seconds(this.found.start_us), this.seconds(this.found.end_us)] : [];
    const known = [...ends, ...(this.found ? [] : [times[0], times.at(-1), ...events.map((event) => this.seconds(event.end_us))])].filter(Number.isFinite);
    if (!known.length) { this.#tell(); return; }
    const range = [Math.min(...known) - AROUND_S, Math.max(...known) + AROUND_S];
    const [title, unit] = SIGNALS[signal];
    const axis = { stroke: colour("soft"), font: PLOT_FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const top = Math.max(1, ...values.filter((value, i) => value !== null && times[i] >= range[0] && times[i] <= range[1])) * 1.1;
    this.plot = new uPlot({
      width: $("plot").clientWidth || 400, height: HEIGHT, legend: { show: false }, cursor: { show: false }, select: { show: false },
      padding: [22 * LARGE, 14, 0, 0], hooks: { draw: [(plot) => this.#lines(plot)] },
      scales: { x: { time: false, range: () => range }, y: { range: () => [0, trace ? top : 1] } },
      axes: [{ ...axis, size: 28 * LARGE, gap: 5, values: (_u, splits) => splits.map((time) => `${number(time, 0)} s`) },
        { ...axis, size: 48 * LARGE, gap: 4, show: Boolean(trace), label: undefined, values: (_u, splits) => splits.map((value) => number(value, 0)) }],
      series: [{}, { stroke: colour("accent"), width: 1.6, spanGaps: false, points: { show: false } }],
    }, [times.length ? times : range, values.length ? values : [null, null]], $("plot"));
    this.title = trace ? `${title} (${unit}), ${long(trace.placement).toLowerCase()}` : t("test_plot.times_what_was_found_samples");
    this.plot.over.addEventListener("pointerdown", (event) => this.#grip(event));
    this.plot.over.addEventListener("pointermove", (event) => this.#drag(event));
    for (const sign of ["pointerup", "pointercancel"]) this.plot.over.addEventListener(sign, () => { this.held = ""; });
    this.#tell();
  }

  #lines(plot) {
    const { ctx, bbox } = plot;
    const at = (us) => Math.round(plot.valToPos(this.seconds(us), "x", true));
    const ratio = devicePixelRatio * LARGE;
    const line = (x, from, stroke, width, dash) => {
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = stroke;
      ctx.lineWidth = width * ratio;
      ctx.setLineDash(dash.map((part) => part * ratio));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + from);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    };
    ctx.save();
    for (const event of this.data.events) {
      const tall = event.metric === "initial_contact" ? 0.86 : 0.7;
      line(at(event.start_us), bbox.height * tall, colour(["left", "right"].includes(event.side) ? event.side : "soft"), 2, event.side === "right" ? [3, 2] : []);
    }
    ctx.font = `600 ${13 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    const word = (x, text, ink) => { ctx.fillStyle = ink; ctx.fillText(text, Math.max(bbox.left + 20 * ratio, Math.min(x, bbox.left + bbox.width - 20 * ratio)), bbox.top - 7 * ratio); };
    for (const [us, text] of this.found ? [[this.found.start_us, t("test_plot.start")], [this.found.end_us, t("test_plot.end")]] : []) {
      line(at(us), 0, colour("soft"), 2, DASH);
      if (!this.#isMoved()) word(at(us), text, colour("soft"));
    }
    if (this.right && (this.editable || this.#isMoved())) {
      for (const [us, text] of [[this.right.start_us, t("test_plot.start")], [this.right.end_us, t("test_plot.end")]]) {
        line(at(us), 0, colour("ink"), 3, []);
        word(at(us), text, colour("ink"));
      }
    }
    ctx.restore();
  }

  #isMoved() {
    return this.right && (this.right.start_us !== this.found.start_us || this.right.end_us !== this.found.end_us);
  }

  #grip(event) {
    if (!this.editable || !this.right) return;
    const far = (us) => Math.abs(this.plot.valToPos(this.seconds(us), "x") - event.offsetX);
    const [start, end] = [far(this.right.start_us), far(this.right.end_us)];
    if (Math.min(start, end) > GRIP) return;
    this.held = start <= end ? "start_us" : "end_us";
    this.plot.over.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  #drag(event) {
    if (!this.held) return;
    const us = Math.round((this.data.zero_us + this.plot.posToVal(event.offsetX, "x") * 1e6) / 1e4) * 1e4; // to the hundredth
    const right = { ...this.right, [this.held]: us };
    if (right.end_us > right.start_us) this.moved(right);
  }

  #tell() {
    if (!this.data) return;
    const { trace, events } = this.data;
    const contacts = events.filter(({ metric }) => metric === "initial_contact").length;
    const ends = this.found ? t("test_plot.found_start_at_s_end", { number: number(this.seconds(this.found.start_us), 1), number2: number(this.seconds(this.found.end_us), 1) }) : t("test_plot.no_start_no_end_were");
    const moved = this.#isMoved() ? t("test_plot.corrected_s_and_s", { number: number(this.seconds(this.right.start_us), 2), number2: number(this.seconds(this.right.end_us), 2) }) : "";
    const what = this.plot ? this.title : t("test_plot.neither_samples_nor_events_are");
    const words = `${what}. ${ends}${moved}${contacts ? ` ${t("test_plot.steps", { n: contacts })}` : ""}`;
    say($("plot-said"), words);
    attribute($("plot"), "aria-label", `${trace ? t("test_plot.curve_over_time") : t("test_plot.marks_over_time")}: ${words}`);
    keep($("events-table").tBodies[0], events, () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td"), make("td")), (row, event) => {
      const texts = [EVENTS[event.metric] ?? event.metric, event.side === "none" ? "" : sideWords(event.side), number(this.seconds(event.start_us), 2), number(this.seconds(event.end_us), 2)];
      texts.forEach((text, i) => say(row.children[i], text));
    });
  }
}
