// Curves over the gait cycle: mean and SD of the last strides, left over right.

import uPlot from "./vendor/uPlot.esm.js";
import { LARGE, PLOT_FONT, attribute, colour, make, say } from "./dom.js";
import { t } from "./texts.js";
import { number, sideWords } from "./words.js";

export const SIDES = ["left", "right"];
export const PERCENT = Array.from({ length: 101 }, (_, i) => i);
const HEIGHT = 190 * LARGE;
const DASH = [8, 5]; // the right side, for eyes that do not tell the colours apart
const VEIL = "2e"; // opacity of the band, as the last two digits of a colour
const NOTHING = PERCENT.map(() => null);

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// One quantity of one joint over the gait cycle, left over right: `about` has its title, unit, usual range and scale's step.
export class Plot {
  constructor(parent, about) {
    this.about = about;
    this.title = about.title;
    this.said = make("p", { className: "remark" });
    this.box = make("div", { className: "plot", role: "img" });
    this.figure = make("div", { className: "joint" }, make("h3", { textContent: `${this.title} (${about.unit})` }), this.box, this.said);
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
    let [low, high] = this.about.usual;
    const { step } = this.about;
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
      this.plot.setScale("y", { min: Math.floor(low / step) * step, max: Math.ceil(high / step) * step });
    });
    this.#tell(curves);
  }

  #value(value) {
    const { unit } = this.about;
    return `${number(value, 0)}${unit === "°" ? "" : " "}${unit}`;
  }

  #tell(curves) {
    const words = curves.worn.map((which) => {
      const [curve, name] = [curves[which], sideWords(which)];
      if (!curve) return [1, 2].map(() => t("cycle.no_strides_yet", { name }));
      const [low, high] = [Math.min(...curve.mean), Math.max(...curve.mean)];
      const doubt = curve.reason ? t("cycle.not_sure") : "";
      const strides = t("cycle.strides", { n: curve.n });
      return [
        `${name} ${strides}${doubt}`,
        t("cycle.from_greatest_at_cycle", { name, strides, doubt, low: this.#value(low), high: this.#value(high), high2: curve.mean.indexOf(high) }),
      ];
    });
    say(this.said, capital(words.map(([short]) => short).join(" · ")));
    attribute(this.box, "aria-label", t("cycle.over_gait_cycle_mean_last", { title: this.title, lines: words.map(([, long]) => long).join("; ") }));
  }

  #make() {
    const axis = { stroke: colour("soft"), font: PLOT_FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const edge = { stroke: "transparent", points: { show: false } };
    const lines = SIDES.flatMap((name) => [edge, edge,
      { stroke: colour(name), width: 2.2 * LARGE, dash: name === "right" ? DASH : undefined, points: { show: false } }]);
    return new uPlot({
      width: this.box.clientWidth || 300, height: HEIGHT,
      legend: { show: false }, cursor: { show: false }, select: { show: false }, padding: [8, 18, 0, 0],
      scales: { x: { time: false, auto: false }, y: { auto: false, range: (_u, min, max) => [min, max] } },
      axes: [
        { ...axis, size: 24 * LARGE, gap: 5, space: 24 * LARGE, incrs: [20], values: (_u, splits) => splits.map((share) => (share === 100 ? "100 %" : `${share}`)) },
        { ...axis, size: 38 * LARGE, gap: 4, space: 24 * LARGE, values: (_u, splits) => splits.map((angle) => number(angle, 0)) },
      ],
      series: [{}, ...lines],
      bands: SIDES.map((name, i) => ({ series: [3 * i + 1, 3 * i + 2], fill: colour(name) + VEIL })),
    }, [PERCENT, ...Array(6).fill(NOTHING)], this.box);
  }
}
