// Every number there is of a patient: the newest of each metric, left, right and of both, with its doubt.

import { $, keep, make, mark, say } from "./dom.js";
import { t } from "./texts.js";
import { group, number, reading, reasonWords } from "./words.js";

const COLUMNS = [["left"], ["right"], ["both", "none"]];

// A value in one cell: ≈ stands before what is not sure, and the reason behind it for who points at it.
export function cell(metric, shown, now) {
  if (!shown || shown.value === null) return { text: "–", title: reasonWords(shown?.reason), old: false };
  const sure = shown.quality === "ok" ? "" : "≈ ";
  return { text: `${sure}${number(shown.value, metric.digits)}`, title: reasonWords(shown.reason), old: reading(metric, shown, now).old };
}

export function updateCell(node, className, { text, title, old }) {
  mark(node, `${className}${old ? " old" : ""}`);
  say(node, text);
  if (node.title !== title) node.title = title;
}

export class Newest {
  constructor(catalogue) {
    this.metrics = Object.values(catalogue).filter(({ kind }) => kind !== "event" && kind !== "test");
    const head = [t("newest.metric"), t("common.left"), t("common.right"), t("common.both"), t("common.unit")].map((text) => make("th", { scope: "col", textContent: text }));
    $("newest-table").append(make("thead", {}, make("tr", {}, ...head)), make("tbody"));
    this.told = [[], 0];
    $("newest").addEventListener("toggle", () => this.show(...this.told));
  }

  show(values, now) {
    this.told = [values, now];
    const looked = $("newest").open ? this.metrics : []; // closed it holds nothing: it would be of somebody else when it is opened
    const rows = looked.map((metric) => ({
      metric,
      shown: COLUMNS.map((sides) => values.find(({ metric: id, side }) => id === metric.id && sides.includes(side))),
    })).filter(({ shown }) => shown.some(Boolean));
    keep($("newest-table").tBodies[0], rows,
      () => make("tr", {}, make("th", { scope: "row" }), ...COLUMNS.map(() => make("td")), make("td")),
      (row, { metric, shown }, i) => {
        const first = metric.group !== rows[i - 1]?.metric.group;
        mark(row, first ? "first" : "");
        row.children[0].dataset.group = first ? group(metric.group) : "";
        say(row.children[0], metric.title);
        if (row.children[0].title !== metric.description) row.children[0].title = metric.description;
        shown.forEach((value, i) => updateCell(row.children[i + 1], COLUMNS[i][0], cell(metric, value, now)));
        say(row.children[4], metric.unit_text);
      });
  }
}
