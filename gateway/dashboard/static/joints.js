// Joint angles over the gait cycle: mean and SD of the last strides, left over right, and what the last stride showed.

import uPlot from "./vendor/uPlot.esm.js";
import { $, attribute, colour, keep, make, say } from "./dom.js";
import { cell, updateCell } from "./newest.js";
import { STALE_S, duration, number } from "./words.js";

const SIDES = ["left", "right"];
const JOINTS = {
  hip: { title: "Hip flexion", segments: ["lower_back", "thigh"], usual: [-20, 50], metrics: ["hip_rom", "hip_flexion_angle"] },
  knee: { title: "Knee flexion", segments: ["thigh", "shank"], usual: [-10, 80], metrics: ["knee_rom", "knee_peak_swing", "knee_flexion_angle"] },
  ankle: { title: "Ankle dorsiflexion", segments: ["shank", "foot"], usual: [-40, 30], metrics: ["ankle_rom", "ankle_dorsiflexion_angle"] },
};
const PERCENT = Array.from({ length: 101 }, (_, i) => i);
const STEP_DEG = 10; // the scale grows by so much, so that it changes rarely
const HEIGHT = 190;
const DASH = [8, 5]; // the right side, for eyes that do not tell the colours apart
const VEIL = "2e"; // opacity of the band, as the last two digits of a colour
const NOTHING = PERCENT.map(() => null);

// What one can do about angles that are not sure yet.
const ADVICE = {
  "axis not known from walking yet": "not calibrated yet: some strides straight ahead are needed",
  "no standing pose before walking": "not calibrated: have the patient stand still and upright for two seconds",
  "axes of the segments disagree": "not calibrated: the sensors disagree about the direction; check the straps, then some strides straight ahead",
  "calibrated within this stride": "being calibrated",
};

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const degrees = (value) => `${number(value, 0)}°`;

class Plot {
  constructor(parent, joint) {
    this.joint = joint;
    this.title = JOINTS[joint].title;
    this.said = make("p", { className: "remark" });
    this.box = make("div", { className: "plot", role: "img" });
    this.figure = make("div", { className: "joint" }, make("h3", { textContent: `${this.title} (°)` }), this.box, this.said);
    parent.append(this.figure);
    this.plot = this.#make();
    new ResizeObserver(() => this.resize()).observe(this.box); // its neighbours are not there yet
  }

  resize() {
    const width = this.box.clientWidth;
    if (width && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  show(curves) {
    this.figure.hidden = !curves.worn.length;
    const data = [PERCENT];
    let [low, high] = JOINTS[this.joint].usual;
    for (const name of SIDES) {
      const curve = curves[name];
      const band = (sign) => (curve?.sd ? curve.mean.map((angle, i) => angle + sign * curve.sd[i]) : curve?.mean ?? NOTHING);
      const [above, below] = [band(1), band(-1)];
      if (curve) [low, high] = [Math.min(low, ...below), Math.max(high, ...above)];
      data.push(above, below, curve?.mean ?? NOTHING);
    }
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: 0, max: 100 });
      this.plot.setScale("y", { min: Math.floor(low / STEP_DEG) * STEP_DEG, max: Math.ceil(high / STEP_DEG) * STEP_DEG });
    });
    this.#tell(curves);
  }

  #tell(curves) {
    const words = curves.worn.map((name) => {
      const curve = curves[name];
      if (!curve) return [`${name}: no strides yet`, `${name}: no strides yet`];
      const [low, high] = [Math.min(...curve.mean), Math.max(...curve.mean)];
      const doubt = curve.reason ? ", not sure" : "";
      const strides = `${curve.n} ${curve.n === 1 ? "stride" : "strides"}`;
      return [
        `${name} ${strides}${doubt}`,
        `${name}: ${strides}${doubt}, from ${degrees(low)} to ${degrees(high)}, greatest at ${curve.mean.indexOf(high)} % of the cycle`,
      ];
    });
    say(this.said, capital(words.map(([short]) => short).join(" · ")));
    attribute(this.box, "aria-label", `${this.title} over the gait cycle, mean of the last strides. ${words.map(([, long]) => long).join("; ")}.`);
  }

  #make() {
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const edge = { stroke: "transparent", points: { show: false } };
    const lines = SIDES.flatMap((name) => [edge, edge,
      { stroke: colour(name), width: 2.2, dash: name === "right" ? DASH : undefined, points: { show: false } }]);
    return new uPlot({
      width: this.box.clientWidth || 300, height: HEIGHT,
      legend: { show: false }, cursor: { show: false }, select: { show: false }, padding: [8, 18, 0, 0],
      scales: { x: { time: false, auto: false }, y: { auto: false, range: (_u, min, max) => [min, max] } },
      axes: [
        { ...axis, size: 24, gap: 5, space: 24, incrs: [20], values: (_u, splits) => splits.map((share) => (share === 100 ? "100 %" : `${share}`)) },
        { ...axis, size: 38, gap: 4, space: 24, values: (_u, splits) => splits.map((angle) => number(angle, 0)) },
      ],
      series: [{}, ...lines],
      bands: SIDES.map((name, i) => ({ series: [3 * i + 1, 3 * i + 2], fill: colour(name) + VEIL })),
    }, [PERCENT, ...Array(6).fill(NOTHING)], this.box);
  }
}

export class Joints {
  constructor(catalogue) {
    this.catalogue = catalogue;
    this.key = "";
    const head = (words) => make("thead", {}, make("tr", {}, ...words.map((text) => make("th", { scope: "col", textContent: text }))));
    $("joint-values").append(head(["Last stride", "Left", "Right"]), make("tbody"));
    $("joint-table").append(head(["Joint", "Cycle", "Left mean", "SD", "Right mean", "SD"]), make("tbody"));
  }

  // The joints whose two segments both have a device, by side; steps are seen by the foot or the shank.
  #worn(devices) {
    const on = new Set(devices.map((device) => device.placement));
    const has = (name, segment) => on.has(segment === "lower_back" ? segment : `${name}_${segment}`);
    return Object.fromEntries(Object.entries(JOINTS).map(([joint, { segments }]) => [joint,
      SIDES.filter((name) => segments.every((segment) => has(name, segment)) && (has(name, "foot") || has(name, "shank")))]));
  }

  show({ devices, cycles, values }, now) {
    const worn = this.#worn(devices);
    $("joints").hidden = !Object.values(worn).some((sides) => sides.length);
    if ($("joints").hidden) return;
    this.plots ??= Object.fromEntries(Object.keys(JOINTS).map((joint) => [joint, new Plot($("joint-plots"), joint)]));
    const newest = Math.max(...cycles.map((curve) => curve.end_us / 1e6));
    const since = now - newest;
    say($("joints-age"), Number.isFinite(since) && since > 2 * STALE_S ? `last stride ${duration(since)} ago` : "");
    this.#showValues(values, worn, now);
    const key = JSON.stringify([worn, cycles]);
    if (key === this.key) return;
    this.key = key;
    const curves = Object.fromEntries(Object.entries(worn).map(([joint, sides]) => [joint, {
      worn: sides, ...Object.fromEntries(SIDES.map((name) => [name, cycles.find((c) => c.joint === joint && c.side === name)])),
    }]));
    for (const [joint, plot] of Object.entries(this.plots)) plot.show(curves[joint]);
    this.#hint(cycles);
    this.#table(curves);
  }

  #hint(cycles) {
    const about = new Map();
    for (const { joint, side, reason } of cycles) {
      if (reason) about.set(reason, [...(about.get(reason) ?? []), `${side} ${joint}`]);
    }
    const doubts = [...about].map(([reason, joints]) => `${joints.join(", ")}: ${ADVICE[reason] ?? reason}.`);
    if (!cycles.length) doubts.push("No strides yet. To calibrate: stand still and upright for two seconds, then walk straight ahead.");
    say($("joints-hint"), doubts.map(capital).join(" "));
  }

  #showValues(values, worn, now) {
    const rows = Object.entries(JOINTS).filter(([joint]) => worn[joint].length).flatMap(([, { metrics }]) => metrics).map((id) => ({
      title: this.catalogue[id].title,
      cells: SIDES.map((name) => {
        const found = cell(this.catalogue[id], values.find((value) => value.metric === id && value.side === name), now);
        return { ...found, text: found.text === "–" ? found.text : `${found.text}°` };
      }),
    }));
    keep($("joint-values").tBodies[0], rows, () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td")),
      (row, { title, cells }) => {
        say(row.children[0], title);
        cells.forEach((shown, i) => updateCell(row.children[i + 1], SIDES[i], shown));
      });
  }

  #table(curves) {
    const rows = Object.entries(curves).filter(([, { worn }]) => worn.length).flatMap(([joint, sides]) =>
      PERCENT.filter((share) => share % 10 === 0).map((share) => [JOINTS[joint].title, `${share} %`,
        ...SIDES.flatMap((name) => [sides[name]?.mean[share], sides[name]?.sd?.[share]].map((angle) => number(angle, 0)))]));
    keep($("joint-table").tBodies[0], rows,
      () => make("tr", {}, make("th", { scope: "row" }), ...[1, 2, 3, 4, 5].map(() => make("td"))),
      (row, texts) => texts.forEach((text, i) => say(row.children[i], text)));
  }
}
