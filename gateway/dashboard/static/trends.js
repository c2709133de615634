// Trends of one person over weeks to years: a measure, sessions a week, milestones. Each has a sentence and a table.

import uPlot from "./vendor/uPlot.esm.js";
import { showDays } from "./days.js";
import { withAxes } from "./bar_axes.js";
import { $, LARGE, PLOT_FONT, ROOT, colour, keep, make, onColourChange, say, speak, svg } from "./dom.js";
import { leaveIfOver, signedIn } from "./session.js";
import { inMyLanguage, t } from "./texts.js";
import { day, number, qualityWords, sideWords, utcDay } from "./words.js";

const HEIGHT = 280 * LARGE;
const DAY_S = 86_400;
const GAPS_S = { session: 3 * DAY_S, day: 3 * DAY_S, week: 10 * DAY_S };
const USUAL = 2.5; // a line over more than so many usual distances would be made up
const ANSWER_MS = 15_000;
const MOST_DAYS = 92; // that are told one by one
const WEEKS_WIDE = 1000;
const CHOICES = ["metric", "days", "by"];
const DASHES = [[], [8, 5], [2, 4], [12, 4, 2, 4]];

const subject = decodeURIComponent(location.pathname.split("/").pop());
let catalogue = {};
let told = null;
let chosen = []; // of which `told` is
let plot = null;
let asked = 0;
let askedDays = 0;
let daysOf = ""; // how many days were asked for, unless they could not be read

const sessions = (n) => t("trends.sessions", { n });
const weeksOf = (n) => t("trends.weeks", { n });
const points = (n) => ({ session: () => sessions(n), day: () => t("common.days", { n }), week: () => weeksOf(n) })[told.by]();
const pointDay = (us) => (told.by === "session" ? day : utcDay)(us); // a session has a time, a day and a week are UTC's
const report = (session) => new URL(`report/${encodeURIComponent(session)}?subject=${encodeURIComponent(subject)}`, ROOT).href;

async function fetched(path) {
  try {
    const response = await fetch(new URL(inMyLanguage(path), ROOT), { signal: AbortSignal.timeout(ANSWER_MS) });
    if (response.status === 401) await leaveIfOver();
    const answer = await response.json();
    return response.ok ? answer : { error: answer.error ?? t("trends.the_dashboard_said_no") };
  } catch {
    return { error: t("trends.no_connection_dashboard_what_you") };
  }
}

const catalogueCame = fetched("api/catalogue").then((found) => { catalogue = found.error ? {} : found; });

function trouble(text) {
  say($("trouble"), text);
  $("trouble").hidden = !text;
}

// Returns what is to be said of it, and nothing where it was asked again since. Of a choice that could not be read nothing
// is shown: the choices go back to those of what stands there.
async function load() {
  const mine = asked += 1;
  const query = new URLSearchParams(CHOICES.map((name) => [name, $(name).value]).filter(([, value]) => value));
  const answer = await fetched(`api/trend/${encodeURIComponent(subject)}?${query}`);
  await catalogueCame;
  if (mine !== asked) return "";
  trouble(answer.error ?? "");
  if (answer.error) {
    if (!told) say($("measure-sentence"), "");
    for (const [name, value] of chosen) $(name).value = value;
    return answer.error;
  }
  told = answer;
  show();
  chosen = CHOICES.map((name) => [name, $(name).value]);
  return $("measure-sentence").textContent;
}

async function loadDays() {
  const mine = askedDays += 1;
  daysOf = $("days").value;
  const query = new URLSearchParams({ days: Math.min(MOST_DAYS, Number(daysOf)) });
  const answer = await fetched(`api/days/${encodeURIComponent(subject)}?${query}`);
  if (mine !== askedDays) return;
  if (answer.error) daysOf = "";
  showDays(answer);
}

const title = (metric) => catalogue[metric]?.title ?? metric;

function lineName(line) {
  const side = line.side === "none" ? "" : sideWords(line.side);
  return [side, told.lines.filter((other) => other.side === line.side).length > 1 ? line.algorithm : ""].filter(Boolean).join(", ") || title(told.metric);
}

function show() {
  $("simulated").hidden = !told.simulated;
  document.title = t("trends.trend_of_rehab_gateway", { subject });
  say($("title"), t("trends.trend_of", { subject }));
  const since = told.first_us === null ? "" : t("trends.since", { first: day(told.first_us) });
  const mixed = told.both_kinds ? t("trends.simulated_real_numbers_are_kept") : "";
  say($("about"), `${sessions(told.sessions)}${since}${mixed}`);
  keep($("metric"), told.metrics, () => make("option"), (option, metric) => {
    option.value = metric;
    say(option, title(metric));
  });
  $("metric").value = told.metric;
  showMeasure();
  showWeeks();
  showMilestones();
}

// What is a gap in a line: longer than is usual in it, as of a test that is done every week.
function gapOf({ points }) {
  const apart = points.slice(1).map((point, i) => (point.at_us - points[i].at_us) / 1e6).sort((a, b) => a - b);
  return Math.max(GAPS_S[told.by], USUAL * (apart[Math.floor(apart.length / 2)] ?? 0));
}

// Points of all lines on one axis of time; a null between two that are too far apart, so that a gap is seen as one.
function aligned() {
  const series = told.lines.map((line) => {
    const [{ points }, gap, values] = [line, gapOf(line), new Map()];
    points.forEach((point, i) => {
      const at = point.at_us / 1e6;
      if (i && at - points[i - 1].at_us / 1e6 > gap) values.set(points[i - 1].at_us / 1e6 + 1, null);
      values.set(at, point.quality === "invalid" ? null : point.value);
    });
    return values;
  });
  const times = [...new Set(series.flatMap((values) => [...values.keys()]))].sort((a, b) => a - b);
  return [times, ...series.map((values) => times.map((time) => (values.has(time) ? values.get(time) : undefined)))];
}

// What is not of good quality stands in the line, and is marked by a hollow circle of its own.
function doubtful(times) {
  return told.lines.map(({ points }) => {
    const values = new Map(points.filter(({ quality }) => quality === "degraded").map(({ at_us: at, value }) => [at / 1e6, value]));
    return times.map((time) => values.get(time) ?? null);
  });
}

function stroke({ side }) {
  return side === "left" || side === "right" ? colour(side) : colour("accent");
}

function draw() {
  plot?.destroy();
  plot = null;
  const data = aligned();
  if (!data[0].length) return;
  const rem = 16 * LARGE;
  const axis = { stroke: colour("soft"), font: PLOT_FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  plot = new uPlot({
    width: $("plot").clientWidth || 600, height: HEIGHT, legend: { show: false }, cursor: { show: false }, select: { show: false },
    padding: [10, 2.5 * rem, 0, 0],
    hooks: { draw: [drawMilestones] },
    tzDate: (time) => (told.by === "session" ? new Date(time * 1000) : uPlot.tzDate(new Date(time * 1000), "Etc/UTC")),
    scales: { x: { time: true, range: () => [told.from_us / 1e6, told.to_us / 1e6] } },
    axes: [{ ...axis, size: 2.5 * rem, space: 5.6 * rem, values: (_u, splits) => splits.map((time) => pointDay(time * 1e6)) }, { ...axis, size: 3.5 * rem }],
    series: [{}, ...told.lines.map((line, i) => ({
      stroke: stroke(line), width: 2, dash: DASHES[i % DASHES.length], spanGaps: false,
      points: { show: true, size: told.by === "session" ? 7 : 5, fill: stroke(line) },
    })), ...told.lines.map((line) => ({
      stroke: stroke(line), width: 0, paths: () => null, points: { show: true, size: 12, width: 2, fill: colour("card") },
    }))],
  }, [...data, ...doubtful(data[0])], $("plot"));
}

function drawMilestones(shown) {
  const { ctx, bbox } = shown;
  ctx.save();
  ctx.strokeStyle = colour("soft");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 5 * devicePixelRatio]);
  for (const { at_us: at, kind } of told.milestones) {
    if (kind === "test" || kind === "mark") continue; // the table has them: a line each would hide the curve
    const x = Math.round(shown.valToPos(at / 1e6, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function gapsOf(line) {
  const [{ points }, gap] = [line, gapOf(line)];
  return points.filter((point, i) => i && (point.at_us - points[i - 1].at_us) / 1e6 > gap).length;
}

function sentence(line, digits, unit) {
  const good = line.points.filter(({ value }) => value !== null);
  if (!good.length) return t("trends.no_value", { line: lineName(line) });
  const values = good.map(({ value }) => value);
  const doubtful = line.points.filter(({ quality }) => quality !== "ok").length;
  const gaps = gapsOf(line);
  return [
    t("trends.at_first_at_last_from", { line: lineName(line), points: points(good.length), number: number(values[0], digits), day: pointDay(good[0].at_us), number2: number(values.at(-1), digits), day2: pointDay(good.at(-1).at_us), number3: number(Math.min(...values), digits), number4: number(Math.max(...values), digits), unit }),
    gaps ? t("trends.gaps", { n: gaps }) : "", doubtful ? t("trends.not_of_good_quality", { doubtful }) : "",
  ].filter(Boolean).join("; ");
}

function showMeasure() {
  const about = catalogue[told.metric];
  const unit = about?.unit_text ? ` ${about.unit_text}` : "";
  const digits = about?.digits ?? 2;
  const each = { session: t("trends.each_point_a_session"), day: t("trends.each_point_a_day"), week: t("trends.each_point_a_week") }[told.by];
  say($("measure-title"), told.metric ? `${title(told.metric)}${unit ? `, ${about.unit_text}` : ""}, ${each}` : t("trends.measure"));
  const patterns = [t("trends.solid_line"), t("trends.dashed_line"), t("trends.dotted_line"), t("trends.line_dashes_dots")];
  const key = told.lines.length > 1 ? told.lines.map((line, i) => `${lineName(line)}: ${patterns[i % patterns.length]}`) : [];
  if (told.lines.some(({ points }) => points.some(({ quality }) => quality === "degraded"))) key.push(t("trends.hollow_circle_not_good_quality"));
  keep($("key"), key, () => make("span"), say);
  const words = told.lines.length ? t("trends.gap_line_time_without_measurement", { lines: told.lines.map((line) => sentence(line, digits, unit)).join(". ") })
    : t("trends.nothing_was_measured_within_this");
  say($("measure-sentence"), words);
  $("plot").setAttribute("aria-label", `${title(told.metric)}: ${words}`);
  $("plot").hidden = !told.lines.length;
  draw();
  const heads = [told.by === "session" ? t("common.session") : told.by === "week" ? t("trends.week_from") : t("trends.day"), ...told.lines.map(lineName)];
  $("measure-table").tHead.replaceChildren(make("tr", {}, ...heads.map((text) => make("th", { scope: "col", textContent: text }))));
  const rows = new Map();
  told.lines.forEach(({ points }, i) => points.forEach((point) => {
    const key = `${point.at_us} ${point.session}`;
    if (!rows.has(key)) rows.set(key, { at: point.at_us, session: point.session, cells: [] });
    rows.get(key).cells[i] = point;
  }));
  const body = $("measure-table").tBodies[0];
  body.replaceChildren(...[...rows.values()].sort((a, b) => b.at - a.at).map(({ at, session, cells }) => make("tr", {},
    make("th", { scope: "row" }, session ? make("a", { href: report(session), textContent: pointDay(at) }) : pointDay(at)),
    ...told.lines.map((_line, i) => make("td", { textContent: cell(cells[i], digits) })))));
}

function cell(point, digits) {
  if (!point || point.value === null) return "–";
  return `${number(point.value, digits)}${point.quality === "ok" ? "" : ` (${qualityWords(point.quality)})`}`;
}

function weeksKey(weeks, hasPlan) {
  const [from, to] = [utcDay(weeks[0].from_us), utcDay(weeks.at(-1).from_us)];
  const highest = Math.max(...weeks.map((week) => week.sessions));
  return hasPlan ? t("trends.from_week_that_bars_sessions", { from, to, highest })
    : t("trends.from_week_that_bars_sessions_2", { from, to, highest });
}

function showWeeks() {
  const { weeks } = told;
  const planned = weeks.filter((week) => week.planned > 0);
  const total = weeks.reduce((sum, { sessions }) => sum + sessions, 0);
  const reached = planned.filter((week) => week.sessions >= week.planned).length;
  const empty = weeks.filter(({ sessions }) => !sessions).length;
  const goal = planned.length ? t("trends.planned_number_was_reached_weeks", { n: planned.length, reached }) : t("trends.no_number_is_planned");
  const words = !weeks.length ? t("trends.no_session_yet") : empty ? t("trends.them_without_one", { total: sessions(total), weeksof: weeksOf(weeks.length), empty, goal }) : t("trends.in", { total: sessions(total), weeksof: weeksOf(weeks.length), goal });
  say($("weeks-sentence"), words);
  $("weeks").setAttribute("aria-label", words);
  $("weeks").hidden = $("weeks-key").hidden = !weeks.length;
  if (weeks.length) say($("weeks-key"), weeksKey(weeks, planned.length > 0));
  const most = Math.max(1, ...weeks.flatMap((week) => [week.sessions, week.planned]));
  const [wide, high] = [WEEKS_WIDE / Math.max(1, weeks.length), 100];
  const up = (n) => high - (n / most) * high + 14;
  const image = svg("svg", { viewBox: `0 0 ${WEEKS_WIDE} 130`, preserveAspectRatio: "none", "aria-hidden": "true" });
  image.append(svg("line", { class: "base", x1: 0, x2: WEEKS_WIDE, y1: up(0), y2: up(0) }));
  weeks.forEach(({ sessions, planned: wanted }, i) => {
    if (sessions) image.append(svg("rect", { class: "done", x: (i + 0.15) * wide, y: up(sessions), width: wide * 0.7, height: up(0) - up(sessions) }));
    if (wanted) image.append(svg("line", { class: "planned", x1: i * wide, x2: (i + 1) * wide, y1: up(wanted), y2: up(wanted) }));
  });
  $("weeks").replaceChildren(...(weeks.length ? [withAxes(image, { most: String(most), from: utcDay(weeks[0].from_us), to: utcDay(weeks.at(-1).from_us) })] : []));
  keep($("weeks-table").tBodies[0], [...weeks].reverse(), () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td")), (row, week) => {
    say(row.children[0], utcDay(week.from_us));
    say(row.children[1], String(week.sessions));
    say(row.children[2], week.planned ? String(week.planned) : t("common.none"));
  });
}

function milestone({ kind, text, bed }) {
  if (kind === "admitted") return t("trends.admitted_to", { bed });
  if (kind === "moved") return t("trends.moved_to", { bed });
  if (kind === "discharged") return t("trends.discharged");
  return kind === "test" ? t("trends.test", { text }) : kind === "mark" ? t("trends.mark", { text }) : text;
}

function showMilestones() {
  $("no-milestones").hidden = told.milestones.length > 0;
  $("milestones").hidden = !told.milestones.length;
  $("milestones").tBodies[0].replaceChildren(...[...told.milestones].reverse().map((one) => make("tr", {},
    make("th", { scope: "row", textContent: day(one.at_us) }),
    make("td", {}, one.session ? make("a", { href: report(one.session), textContent: milestone(one) }) : milestone(one)))));
}

$("choices").addEventListener("change", async () => {
  const words = await load();
  if (!words) return;
  speak(words);
  if ($("days").value !== daysOf) await loadDays(); // after it: reading days takes longer than what one has asked for
});
$("choices").addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", () => plot?.setSize({ width: $("plot").clientWidth, height: HEIGHT }));
onColourChange(() => told && draw());
say($("title"), t("trends.trend_of", { subject }));
await signedIn;
await load();
await loadDays();
