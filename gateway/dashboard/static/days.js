// Days and weeks of one person: hours worn and upright, steps, walking bouts. Bars, a sentence and a table.

import { withAxes } from "./bar_axes.js";
import { $, make, say, svg } from "./dom.js";
import { t } from "./texts.js";
import { utcDay as day, number } from "./words.js";

const DAY_US = 86_400e6;
const [WIDE, HIGH, TOP] = [1000, 100, 14];
const COLUMNS = [
  ["wear_time", 1], ["upright_time", 2], ["sedentary_time", 2], ["n_steps", 0], ["total_walking_duration_min", 1],
  ["wb_all__count", 0], ["wb_30__walking_speed_mps__avg", 2],
];

const known = (value) => value !== null && value !== undefined;
const counted = (n) => t("common.days", { n });

function median(values) {
  const sorted = values.filter(known).sort((a, b) => a - b);
  if (!sorted.length) return null;
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

const shown = (value, digits) => (known(value) ? number(value, digits) : "–");

function sentence({ days, weeks }, highest) {
  if (!days.length) return t("days.none");
  const of = (name) => median(days.map(({ outcomes }) => outcomes[name]));
  return t("days.sentence", {
    days: counted(days.length), full: String(weeks.reduce((sum, { n_days: n }) => sum + n, 0)),
    upright: shown(of("upright_time"), 1), steps: shown(of("n_steps"), 0), highest: number(highest, 1),
  });
}

const LEAST_DAYS = 14; // as wide as two weeks, so that a single day is no wall
const lastShown = (days) => Math.max(days.at(-1).at_us, days[0].at_us + (LEAST_DAYS - 1) * DAY_US);

// One bar a day from the first to the last; a day without measurements has none, and its place.
function bars(days, highest) {
  const image = svg("svg", { viewBox: `0 0 ${WIDE} 130`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const first = days[0].at_us;
  const wide = WIDE / ((lastShown(days) - first) / DAY_US + 1);
  image.append(svg("line", { class: "base", x1: 0, x2: WIDE, y1: TOP + HIGH, y2: TOP + HIGH }));
  for (const { at_us: at, outcomes, quality } of days) {
    const high = highest ? ((outcomes.upright_time ?? 0) / highest) * HIGH : 0;
    if (high) image.append(svg("rect", { class: quality === "ok" ? "done" : "little", x: ((at - first) / DAY_US + 0.15) * wide, y: TOP + HIGH - high, width: wide * 0.7, height: high }));
  }
  return image;
}

function row(title, outcomes, remark) {
  return make("tr", {}, make("th", { scope: "row", textContent: title }),
    ...COLUMNS.map(([name, digits]) => make("td", { textContent: shown(outcomes[name], digits) })), make("td", { textContent: remark }));
}

// What could not be read leaves none of the days of before.
export function showDays(told) {
  const { error, days = [], weeks = [] } = told;
  const highest = Math.max(0, ...days.map(({ outcomes }) => outcomes.upright_time ?? 0));
  const words = error ? t("days.unread", { error }) : sentence(told, highest);
  say($("days-sentence"), words);
  $("days-bars").setAttribute("aria-label", words);
  $("days-bars").hidden = !highest;
  $("days-bars").replaceChildren(...(highest ? [withAxes(bars(days, highest), { most: `${number(highest, 1)} h`, from: day(days[0].at_us), to: day(lastShown(days)) })] : []));
  const lines = [
    ...weeks.map(({ at_us: at, n_days: n, outcomes }) => ({ at: at + 7 * DAY_US - 1, line: row(t("days.week", { day: day(at) }), outcomes, t("days.mean_of", { days: counted(n) })) })),
    ...days.map(({ at_us: at, outcomes, reason }) => ({ at, line: row(day(at), outcomes, reason) })),
  ];
  $("days-table").tBodies[0].replaceChildren(...lines.sort((a, b) => b.at - a.at).map(({ line }) => line));
}
