// What an exoskeleton measured over the gait cycle: angle, torque and power of each joint, and what its last stride gave.

import { Plot, SIDES } from "./cycle.js";
import { $, keep, make, say } from "./dom.js";
import { shortTitle } from "./exoskeleton.js";
import { cell, updateCell } from "./newest.js";
import { t } from "./texts.js";
import { STALE_S, duration } from "./words.js";

const TITLES = {
  hip: { angle: t("exoskeleton_cycles.hip_angle"), torque: t("exoskeleton_cycles.hip_torque"), power: t("exoskeleton_cycles.hip_power") },
  knee: { angle: t("exoskeleton_cycles.knee_angle"), torque: t("exoskeleton_cycles.knee_torque"), power: t("exoskeleton_cycles.knee_power") },
  ankle: { angle: t("exoskeleton_cycles.ankle_angle"), torque: t("exoskeleton_cycles.ankle_torque"), power: t("exoskeleton_cycles.ankle_power") },
};
const QUANTITIES = {
  angle: { unit: "°", usual: [-10, 40], step: 10 },
  torque: { unit: "Nm", usual: [-5, 5], step: 5 },
  power: { unit: "W", usual: [-10, 10], step: 10 },
};

export class ExoskeletonCycles {
  constructor(catalogue) {
    this.metrics = Object.values(catalogue).filter(({ group, kind }) => group === "exoskeleton" && kind === "stride");
    this.plots = new Map();
    this.key = "";
    const head = [t("common.last_stride"), t("common.left"), t("common.right"), t("common.unit")].map((textContent) => make("th", { scope: "col", textContent }));
    $("exoskeleton-stride").append(make("thead", {}, make("tr", {}, ...head)), make("tbody"));
  }

  show({ exoskeleton_cycles: cycles, values }, now) {
    const rows = this.#rows(values, now);
    $("exoskeleton-cycles").hidden = !cycles.length && !rows.length;
    if ($("exoskeleton-cycles").hidden) return;
    const since = now - Math.max(...cycles.map((curve) => curve.end_us / 1e6));
    say($("exoskeleton-cycles-age"), Number.isFinite(since) && since > 2 * STALE_S ? t("common.last_stride_ago", { since: duration(since) }) : "");
    this.#table(rows);
    const key = JSON.stringify(cycles);
    if (key === this.key) return;
    this.key = key;
    this.#draw(cycles);
  }

  #draw(cycles) {
    for (const [joint, titles] of Object.entries(TITLES)) {
      for (const [quantity, about] of Object.entries(QUANTITIES)) {
        const own = cycles.filter((curve) => curve.joint === joint && curve.quantity === quantity);
        const name = `${joint} ${quantity}`;
        if (!own.length && !this.plots.has(name)) continue;
        if (!this.plots.has(name)) this.plots.set(name, new Plot($("exoskeleton-plots"), { ...about, title: titles[quantity] }));
        this.plots.get(name).show({ worn: SIDES.filter((name) => own.some(({ side }) => side === name)), ...Object.fromEntries(own.map((curve) => [curve.side, curve])) });
      }
    }
  }

  #rows(values, now) {
    return this.metrics.map((metric) => ({
      metric, shown: SIDES.map((name) => values.find(({ metric: known, side }) => known === metric.id && side === name)),
    })).filter(({ shown }) => shown.some(Boolean)).map(({ metric, shown }) => ({ metric, cells: shown.map((value) => cell(metric, value, now)) }));
  }

  #table(rows) {
    keep($("exoskeleton-stride").tBodies[0], rows,
      () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td"), make("td")),
      (row, { metric, cells }) => {
        say(row.children[0], shortTitle(metric));
        if (row.children[0].title !== metric.description) row.children[0].title = metric.description;
        cells.forEach((shown, i) => updateCell(row.children[i + 1], SIDES[i], shown));
        say(row.children[3], metric.unit_text);
      });
  }
}
