// The strip: raw signals of the last ten seconds, one lane a sensor, drawn once an animation frame.

import uPlot from "./vendor/uPlot.esm.js";
import { LARGE, PLOT_FONT, ROOT, calm, colour, make, ofGateway, say } from "./dom.js";
import { now } from "./live.js";
import { Ring, readFrame } from "./ring.js";
import { t } from "./texts.js";
import { duration, long, side, signal, unit } from "./words.js";

const WINDOW_S = 10;
const QUIET_S = 1; // a lane without samples for this long says so
const RETRY_MS = 1500;
const LONGEST_RETRY_MS = 15000;
const SILENT_MS = 6000; // a stream that is watched sends several times a second: after so long the connection may be dead
const CHECK_MS = 2000;
const CALM_MS = 1000; // redraw interval for those who asked for less motion
const AXIS_WIDTH = 54 * LARGE;
const HEIGHT = { 1: 274 * LARGE, 2: 130 * LARGE };
const AXIS_HEIGHT = 26 * LARGE;
const SUMMARY_MS = 5000;
const SPARE = 1.05; // room above the highest peak

// What the screen shows in place of the unit on the wire: factor and unit.
const FAMILIAR = { "rad/s": [180 / Math.PI, "°/s"], rad: [180 / Math.PI, "°"] };

// A round number at or above `value`, so that the scale changes rarely.
function roomFor(value) {
  const step = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((factor) => factor * step).find((room) => room >= value);
}

const ago = (seconds) => (seconds < 0.5 ? t("common.now_small") : `−${Math.round(seconds)} s`);

class Lane {
  constructor(parent, device, streamName, channel, last, height) {
    const stream = device.streams[streamName];
    this.device = device;
    this.channel = stream.channels.indexOf(channel);
    [this.factor, this.unit] = FAMILIAR[stream.units?.[this.channel]] ?? [1, unit(stream.units?.[this.channel])];
    this.title = `${long(device.placement)}, ${signal(channel).toLowerCase()}`;
    this.ring = new Ring(WINDOW_S, stream.rate_hz);
    this.ahead = -Infinity; // newest sample's time minus this page's clock, the largest lately seen
    this.address = new URL(ofGateway(`waveform/${encodeURIComponent(device.id)}/${encodeURIComponent(streamName)}`), ROOT);
    this.address.protocol = this.address.protocol.replace("http", "ws");
    this.tries = 0;
    this.heard = Date.now();
    this.plotBox = make("div", { role: "img", ariaLabel: this.title });
    this.said = make("span", { className: "said" });
    this.box = make("div", { className: `lane ${side(device.placement)}` },
      make("span", { className: "name", textContent: this.unit ? `${this.title} (${this.unit})` : this.title }), this.said, this.plotBox);
    parent.append(this.box);
    this.plot = this.#makePlot(last, height);
    this.#connect();
  }

  close() {
    this.closed = true;
    this.#disconnect();
    this.plot.destroy();
    this.box.remove();
  }

  resize() {
    const width = this.plotBox.clientWidth;
    if (width && width !== this.plot.width) this.plot.setSize({ width, height: this.plot.height });
  }

  // The time at the right edge: that of the newest samples, carried on by our own clock when none come.
  edge() {
    return this.ahead === -Infinity ? now() : this.ahead + performance.now() / 1000;
  }

  draw(edge, low, high) {
    const from = edge - WINDOW_S;
    this.plot.batch(() => {
      if (this.ring.end !== null) this.plot.setData([this.ring.times, this.ring.values], false);
      this.plot.setScale("y", { min: low, max: high });
      this.plot.setScale("x", { min: from, max: edge });
    });
    const quiet = this.ring.end === null ? 0 : edge - this.ring.end;
    say(this.said, this.ring.end === null ? t("strip.waiting_for_samples") : quiet > QUIET_S ? t("strip.no_data_for", { quiet: duration(quiet) }) : "");
  }

  summary() {
    const { low, high, missing } = this.ring.extent(this.edge() - WINDOW_S);
    if (low > high) return t("strip.no_data_last_10_seconds", { title: this.title });
    const gaps = missing ? ` ${t("strip.samples_missing", { n: missing })}` : "";
    return t("strip.between_last_10_seconds", { title: this.title, low: low.toFixed(0), high: high.toFixed(0), unit: this.unit, gaps });
  }

  #makePlot(last, height) {
    const ink = colour("soft");
    const grid = { stroke: colour("line"), width: 1 };
    const stroke = colour(side(this.device.placement) || "accent");
    const options = {
      width: this.plotBox.clientWidth || 600, height,
      legend: { show: false }, cursor: { show: false }, select: { show: false },
      padding: [8, 16, last ? 0 : 6, 0],
      scales: { x: { time: false, auto: false }, y: { auto: false, range: (_u, min, max) => [min, max] } },
      axes: [
        { stroke: ink, font: PLOT_FONT, grid, ticks: { show: false }, size: last ? AXIS_HEIGHT : 0, gap: 7, splits: (u) => this.#seconds(u),
          values: (u, splits) => splits.map((time) => (last ? ago(u.scales.x.max - time) : "")) },
        { stroke: ink, font: PLOT_FONT, grid, ticks: { show: false }, size: AXIS_WIDTH, gap: 4, space: 26 * LARGE,
          values: (_u, splits) => splits.map((value) => (this.ring.end === null ? "" : String(value).replace("-", "−"))) },
      ],
      series: [{}, { stroke, width: 1.6 * LARGE, spanGaps: false, points: { show: false } }],
    };
    return new uPlot(options, [[0, 1], [null, null]], this.plotBox);
  }

  #seconds(plot) { // marks stand still while the signal moves below them
    return [0, 2, 4, 6, 8, 10].map((ago) => plot.scales.x.max - (WINDOW_S - ago));
  }

  #connect() {
    this.heard = Date.now();
    this.socket = new WebSocket(this.address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.#take(readFrame(data));
    this.socket.onclose = () => this.#again();
  }

  #disconnect() {
    clearTimeout(this.timer);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  #again() {
    this.#disconnect();
    const wait = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** this.tries);
    this.tries += 1;
    this.heard = Date.now() + wait;
    this.timer = setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2));
  }

  // Opens anew what has been silent: the sensor may be, or the connection may have died without a word.
  check(limit = SILENT_MS * Math.min(4, 1 + this.tries)) {
    if (Math.abs(Date.now() - this.heard) > limit) this.#again();
  }

  #take(frame) {
    this.heard = Date.now();
    this.tries = 0;
    this.ring.push(frame, this.channel, this.factor);
    const ahead = frame.start + frame.samples / frame.rate - performance.now() / 1000;
    // Follows a later clock at once and an earlier one slowly: a late frame must not pull the strip back.
    this.ahead = ahead > this.ahead || ahead < this.ahead - WINDOW_S ? ahead : this.ahead * 0.999 + ahead * 0.001;
  }
}

export class Strip {
  constructor(parent) {
    this.parent = parent;
    this.lanes = [];
    this.wanted = [];
    this.frozen = false;
    this.range = [0, 1];
    let drawn = 0;
    const frame = (time) => {
      requestAnimationFrame(frame);
      if (this.frozen || this.lanes.length === 0 || time - drawn < (calm() ? CALM_MS : 0)) return;
      drawn = time;
      const edge = Math.max(...this.lanes.map((lane) => lane.edge()));
      const [low, high] = this.#scale(edge);
      for (const lane of this.lanes) lane.draw(edge, low, high);
    };
    requestAnimationFrame(frame);
    addEventListener("resize", () => this.lanes.forEach((lane) => lane.resize()));
    setInterval(() => this.lanes.forEach((lane) => lane.check()), CHECK_MS);
    for (const sign of ["online", "pageshow"]) addEventListener(sign, () => this.#wake());
    document.addEventListener("visibilitychange", () => this.#wake());
    setInterval(() => this.lanes.forEach((lane) => { lane.plotBox.ariaLabel = lane.summary(); }), SUMMARY_MS);
  }

  #wake() {
    if (!document.hidden) this.lanes.forEach((lane) => lane.check(CHECK_MS));
  }

  // One scale for all lanes: left and right are there to be compared.
  #scale(edge) {
    const extents = this.lanes.map((lane) => lane.ring.extent(edge - WINDOW_S));
    const low = Math.min(0, ...extents.map((extent) => extent.low));
    const high = Math.max(0, ...extents.map((extent) => extent.high));
    if (low < high) this.range = [low < 0 ? -roomFor(-low * SPARE) : 0, high > 0 ? roomFor(high * SPARE) : 0];
    return this.range;
  }

  // `wanted`: [{device, stream, channel}]; what is already shown stays.
  show(wanted) {
    this.wanted = wanted;
    this.lanes.forEach((lane) => lane.close());
    const height = HEIGHT[wanted.length] ?? HEIGHT[2];
    this.lanes = wanted.map(({ device, stream, channel }, i) =>
      new Lane(this.parent, device, stream, channel, i === wanted.length - 1, height + (wanted.length > 1 && i === wanted.length - 1 ? AXIS_HEIGHT - 6 * LARGE : 0)));
  }

  // Forgets what was drawn: it was somebody else's.
  clear() {
    this.show(this.wanted);
  }
}
