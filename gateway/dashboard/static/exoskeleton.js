// What an exoskeleton says of itself: its joints left and right, and the device as a whole; each with its age and doubt.

import { $, keep, make, say } from "./dom.js";
import { cell, updateCell } from "./newest.js";
import { t } from "./texts.js";
import { STALE_S, when } from "./words.js";

const SIDES = ["left", "right"];
const STOP = "exo_emergency_stop";
const FAULT = "exo_fault";

// What people say in place of nought and one.
const WORDS = { [STOP]: [t("exoskeleton.released"), t("exoskeleton.pressed")], [FAULT]: [t("common.none")] };

// In one line what it says is wrong, newest known: it stays until it is said to be over.
export function calledOut(values, now) {
  const at = (id) => values.find(({ metric }) => metric === id);
  const fresh = ({ end_us }) => now - end_us / 1e6 <= STALE_S;
  // A time, not an age: what stands here is spoken when it changes.
  const lastHeard = (value) => (fresh(value) ? "" : t("exoskeleton.at_nothing_newer", { clock: when(value.end_us / 1e6, now) }));
  const [stop, fault] = [at(STOP), at(FAULT)];
  return [
    stop?.value === 1 ? t("exoskeleton.emergency_stop_pressed", { stop: lastHeard(stop) }) : "",
    !fault?.value ? "" : fresh(fault) ? t("exoskeleton.the_exoskeleton_reports_fault", { value: fault.value }) : t("exoskeleton.the_exoskeleton_reported_fault", { value: fault.value, fault: lastHeard(fault) }),
  ].filter(Boolean).join(" · ");
}

// In a panel of the exoskeleton its name need not stand in each row.
export const shortTitle = ({ title }) => [t("exoskeleton.begin_of_titles"), t("exoskeleton.end_of_titles")].reduce((text, part) => text.replace(part, ""), title).replace(/^./, (first) => first.toUpperCase());

export const isStopped = (values) => values.some(({ metric, value }) => metric === STOP && value === 1);

function worded(metric, value, now) {
  const made = cell(metric, value, now);
  const word = value?.quality === "ok" ? WORDS[metric.id]?.[value.value] : undefined;
  return word === undefined ? made : { ...made, text: word };
}

export class Exoskeleton {
  constructor(catalogue) {
    const own = Object.values(catalogue).filter(({ group, kind }) => group === "exoskeleton" && kind !== "stride");
    this.joints = own.filter(({ sides }) => sides.includes("left"));
    this.whole = own.filter(({ sides }) => sides.includes("none"));
    this.#begin("exoskeleton-joints", [t("common.joint"), t("common.left"), t("common.right"), t("common.unit")]);
    this.#begin("exoskeleton-whole", [t("common.device"), t("common.now"), t("common.unit")]);
  }

  #begin(id, titles) {
    const head = titles.map((textContent) => make("th", { scope: "col", textContent }));
    $(id).append(make("thead", {}, make("tr", {}, ...head)), make("tbody"));
  }

  #rows(id, metrics, sides, values, now) {
    const rows = metrics.map((metric) => ({
      metric, shown: sides.map((name) => values.find(({ metric: known, side }) => known === metric.id && side === name)),
    })).filter(({ shown }) => shown.some(Boolean));
    keep($(id).tBodies[0], rows,
      () => make("tr", {}, make("th", { scope: "row" }), ...sides.map(() => make("td")), make("td")),
      (row, { metric, shown }) => {
        say(row.children[0], shortTitle(metric));
        if (row.children[0].title !== metric.description) row.children[0].title = metric.description;
        shown.forEach((value, i) => updateCell(row.children[i + 1], sides[i], worded(metric, value, now)));
        say(row.children[sides.length + 1], metric.unit_text);
      });
    return rows.length;
  }

  show(values, now) {
    const known = this.#rows("exoskeleton-joints", this.joints, SIDES, values, now)
      + this.#rows("exoskeleton-whole", this.whole, ["none"], values, now);
    $("exoskeleton").hidden = !known;
    say($("exoskeleton-hint"), calledOut(values, now));
  }
}
