// Joint angles over the gait cycle: mean and SD of the last strides, left over right, and what the last stride showed.

import { PERCENT, Plot, SIDES, capital } from "./cycle.js";
import { $, keep, make, say } from "./dom.js";
import { cell, updateCell } from "./newest.js";
import { t } from "./texts.js";
import { STALE_S, duration, number, reasonWords, sideWords } from "./words.js";

const JOINTS = {
  hip: { word: t("joints.hip"), title: t("joints.hip_flexion"), segments: ["lower_back", "thigh"], usual: [-20, 50], metrics: ["hip_rom", "hip_flexion_angle"] },
  knee: { word: t("joints.knee"), title: t("joints.knee_flexion"), segments: ["thigh", "shank"], usual: [-10, 80], metrics: ["knee_rom", "knee_peak_swing", "knee_flexion_angle"] },
  ankle: { word: t("joints.ankle"), title: t("joints.ankle_dorsiflexion"), segments: ["shank", "foot"], usual: [-40, 30], metrics: ["ankle_rom", "ankle_dorsiflexion_angle"] },
};
const STEP_DEG = 10; // the scale grows by so much, so that it changes rarely

// What one can do about angles that are not sure yet.
const ADVICE = {
  ["axis not known from walking yet"]: t("joints.not_calibrated_yet_some_strides"),
  ["no standing pose before walking"]: t("joints.not_calibrated_have_patient_stand"),
  ["axes of the segments disagree"]: t("joints.not_calibrated_sensors_disagree_about"),
  ["calibrated within this stride"]: t("joints.being_calibrated"),
};

export class Joints {
  constructor(catalogue) {
    this.catalogue = catalogue;
    this.key = "";
    const head = (words) => make("thead", {}, make("tr", {}, ...words.map((text) => make("th", { scope: "col", textContent: text }))));
    $("joint-values").append(head([t("common.last_stride"), t("common.left"), t("common.right")]), make("tbody"));
    $("joint-table").append(head([t("common.joint"), t("joints.cycle"), t("joints.left_mean"), t("joints.sd"), t("joints.right_mean"), t("joints.sd")]), make("tbody"));
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
    this.plots ??= Object.fromEntries(Object.entries(JOINTS).map(([joint, { title, usual }]) =>
      [joint, new Plot($("joint-plots"), { title, usual, unit: "°", step: STEP_DEG })]));
    const newest = Math.max(...cycles.map((curve) => curve.end_us / 1e6));
    const since = now - newest;
    say($("joints-age"), Number.isFinite(since) && since > 2 * STALE_S ? t("common.last_stride_ago", { since: duration(since) }) : "");
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
      if (reason) about.set(reason, [...(about.get(reason) ?? []), `${sideWords(side)} ${JOINTS[joint]?.word ?? joint}`]);
    }
    const doubts = [...about].map(([reason, joints]) => `${joints.join(", ")}: ${ADVICE[reason] ?? reasonWords(reason)}.`);
    if (!cycles.length) doubts.push(t("joints.no_strides_yet_calibrate_stand"));
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
