// What the tests of a patient gave, the last of each: they stand until the next, and say when they were.

import { $, keep, make, say } from "./dom.js";
import { now } from "./live.js";
import { cell, updateCell } from "./newest.js";
import { t } from "./texts.js";
import { when } from "./words.js";

const BY_HAND = "by-hand/1"; // stands beside what was found
const COLUMNS = [["left"], ["right"], ["both", "none"]];

export class Tests {
  constructor(catalogue) {
    this.metrics = Object.values(catalogue).filter(({ kind, id }) => kind === "test" || (kind === "reported" && id !== "form_answer"));
    const head = [t("tests.test"), t("common.left"), t("common.right"), t("common.both"), t("common.unit"), t("tests.at")].map((text) => make("th", { scope: "col", textContent: text }));
    $("tests-table").append(make("thead", {}, make("tr", {}, ...head)), make("tbody"));
  }

  show(tests) {
    const rows = this.metrics.flatMap((metric) => [false, true].map((byHand) => ({
      metric, byHand,
      shown: COLUMNS.map((sides) => tests.find(({ metric: id, side, algorithm }) => id === metric.id && sides.includes(side) && (algorithm === BY_HAND) === byHand)),
    }))).filter(({ shown }) => shown.some(Boolean));
    $("tests").hidden = !rows.length;
    keep($("tests-table").tBodies[0], rows,
      () => make("tr", {}, make("th", { scope: "row" }), ...COLUMNS.map(() => make("td")), make("td"), make("td")),
      (row, { metric, byHand, shown }) => {
        const last = Math.max(...shown.filter(Boolean).map(({ end_us }) => end_us)) / 1e6;
        say(row.children[0], byHand ? t("tests.times_corrected", { title: metric.title }) : metric.title);
        if (row.children[0].title !== metric.description) row.children[0].title = metric.description;
        shown.forEach((value, i) => updateCell(row.children[i + 1], COLUMNS[i][0], cell(metric, value, last)));
        say(row.children[4], metric.unit_text);
        say(row.children[5], when(last, now()));
      });
  }
}
