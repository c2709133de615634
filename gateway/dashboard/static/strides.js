// Left and right, stride by stride: left bars stand up, right bars hang down, each stance (full) then swing (light).

import { $, LARGE, attribute, keep, make, mark, say, svg } from "./dom.js";
import { t } from "./texts.js";
import { number, sideWords } from "./words.js";

const COUNT = 20;
const [HEIGHT, TOP, BOTTOM] = [204 * LARGE, 4, 4];
const LABEL = 9.5 * LARGE; // no letter of the labels beside the bars is wider on average
const TEXT = 4 * LARGE; // from the middle of a line of text to its foot
const MIDDLE = HEIGHT / 2;
const HALF = MIDDLE - TOP - BOTTOM / 2;
const PARTS = ["stance", "swing"];

const mean = (numbers) => (numbers.length ? numbers.reduce((sum, x) => sum + x, 0) / numbers.length : null);
const known = (strides, key) => strides.map((stride) => stride[key]).filter((x) => typeof x === "number");
const seconds = (value) => (value === null || value === undefined ? "–" : number(value, 2));
const ratio = (part, whole) => (part === null || !whole ? "–" : `${Math.round((100 * part) / whole)}\u00a0%`);

function means(strides) {
  const [stride, step] = ["stride", "step"].map((key) => mean(known(strides, key)));
  // Shares only from strides of which both parts are known: a missing part would bend them.
  const whole = strides.filter((s) => typeof s.stance === "number" && typeof s.swing === "number");
  return { n: strides.length, stride, step, stance: mean(known(whole, "stance")), swing: mean(known(whole, "swing")) };
}

export class Strides {
  constructor() {
    this.key = "";
    this.sides = { left: [], right: [] };
    this.svg = svg("svg", { height: HEIGHT, "aria-hidden": "true" });
    $("strides-chart").append(this.svg);
    this.left = LABEL * Math.max(t("strides.left").length, t("strides.right").length);
    new ResizeObserver(() => this.#draw()).observe(this.svg);
    const head = (words) => make("thead", {}, make("tr", {}, ...words.map((text) => make("th", { scope: "col", textContent: text }))));
    $("means").append(head([t("common.side"), t("strides.stride_s"), t("strides.step_s"), t("strides.stance"), t("strides.swing")]), make("tbody"));
    $("strides-table").querySelector("table").append(
      head([t("strides.no"), t("strides.left_stride_s"), t("strides.stance_s"), t("strides.swing_s"), t("strides.right_stride_s"), t("strides.stance_s"), t("strides.swing_s")]), make("tbody"));
  }

  show({ left, right }) {
    const key = JSON.stringify([left, right]);
    if (key === this.key) return;
    this.key = key;
    this.sides = { left: left.slice(-COUNT), right: right.slice(-COUNT) };
    this.#draw();
    this.#tell(this.sides);
  }

  // As wide as the panel and always as high: letters keep their size.
  #draw() {
    const { sides, left } = this;
    const width = this.svg.clientWidth;
    if (!width) return this.svg.replaceChildren(); // not on the page now: whose bars come back with it is not known yet
    const longest = Math.max(1, ...Object.values(sides).flat().map((s) => s.stride ?? 0));
    const room = Math.ceil(longest * 4) / 4;
    const scale = HALF / room;
    const nodes = [];
    for (let mark = 0.5; mark <= room; mark += 0.5) {
      for (const direction of [-1, 1]) {
        const y = MIDDLE + direction * mark * scale;
        nodes.push(svg("line", { x1: left, x2: width, y1: y, y2: y, class: "grid" }));
        if (mark % 1 === 0) nodes.push(this.#text(left - 5, y + TEXT, `${mark} s`, "", "end"));
      }
    }
    for (const [side, strides] of Object.entries(sides)) {
      strides.forEach((stride, i) => nodes.push(...this.#bar(side, stride, (width - left) / COUNT, COUNT - strides.length + i, scale)));
    }
    nodes.push(svg("line", { x1: left, x2: width, y1: MIDDLE, y2: MIDDLE, class: "axis" }));
    nodes.push(this.#text(4, MIDDLE - 2 * TEXT, t("strides.left"), "side left"), this.#text(4, MIDDLE + 5 * TEXT, t("strides.right"), "side right"));
    this.svg.replaceChildren(...nodes);
  }

  #bar(side, stride, wide, column, scale) {
    if (typeof stride.stride !== "number") return [];
    const split = typeof stride.stance === "number" && typeof stride.swing === "number";
    const parts = split ? PARTS.map((part) => [part, stride[part]]) : [["stance", stride.stride]];
    let from = 0;
    return parts.map(([part, length]) => {
      const height = length * scale;
      const y = side === "left" ? MIDDLE - from - height : MIDDLE + from;
      from += height;
      return svg("rect", {
        x: this.left + (column + 0.11) * wide, y, width: 0.78 * wide, height,
        class: `${side} ${part}${stride.quality === "ok" ? "" : " doubt"}`,
      });
    });
  }

  #text(x, y, words, className, anchor = "start") {
    const node = svg("text", { x, y, class: className, "text-anchor": anchor });
    node.textContent = words;
    return node;
  }

  #tell(sides) {
    const rows = [["left", t("strides.left")], ["right", t("strides.right")]].map(([side, name]) => ({ side, name, ...means(sides[side]) }));
    keep($("means").tBodies[0], rows, () => make("tr", {}, make("th", { scope: "row" }), ...[1, 2, 3, 4].map(() => make("td"))),
      (row, { side, name, stride, step, stance, swing }) => {
        mark(row, side);
        const whole = stance === null ? null : stance + swing;
        [name, seconds(stride), seconds(step), ratio(stance, whole), ratio(swing, whole)].forEach((text, i) => say(row.children[i], text));
      });
    const words = rows.map(({ side, n, stride, stance, swing }) => (n
      ? t("strides.strides_mean_seconds_stance", { n, side: sideWords(side), seconds: seconds(stride), share: ratio(stance, stance + swing) })
      : t("strides.no_strides_yet", { side: sideWords(side) })));
    attribute($("strides-chart"), "aria-label", t("strides.last_strides", { lines: words.join("; ") }));
    const count = Math.max(sides.left.length, sides.right.length);
    const cells = Array.from({ length: count }, (_, i) => [sides.left, sides.right].flatMap((strides) => {
      const stride = strides[strides.length - 1 - i];
      return [stride?.stride, stride?.stance, stride?.swing].map(seconds);
    }));
    keep($("strides-table").querySelector("tbody"), cells,
      () => make("tr", {}, make("th", { scope: "row" }), ...[1, 2, 3, 4, 5, 6].map(() => make("td"))),
      (row, texts) => [`${[...row.parentNode.children].indexOf(row) + 1}`, ...texts].forEach((text, i) => say(row.children[i], text)));
  }
}
