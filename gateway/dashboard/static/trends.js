// Trends of one person over weeks to years: a measure, sessions a week, milestones. Each has a sentence and a table.

import uPlot from "./vendor/uPlot.esm.js";
import { $, ROOT, colour, keep, make, onColourChange, say, speak } from "./dom.js";
import { leaveIfOver, signedIn } from "./session.js";
import { number } from "./words.js";

const HEIGHT = 280;
const DAY_S = 86_400;
const GAPS_S = { session: 3 * DAY_S, day: 3 * DAY_S, week: 10 * DAY_S };
const USUAL = 2.5; // a line over more than so many usual distances would be made up
const ANSWER_MS = 15_000;
const WEEKS_WIDE = 1000;
const SVG = "http://www.w3.org/2000/svg";
const SIDES = { left: "left", right: "right", both: "both", none: "" };
const DASHES = [[], [8, 5], [2, 4], [12, 4, 2, 4]];
const EACH = { session: "session", day: "day", week: "week" };

const subject = decodeURIComponent(location.pathname.split("/").pop());
let catalogue = {};
let told = null;
let plot = null;
let asked = 0;

const day = (us) => new Date(us / 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const report = (session) => new URL(`report/${encodeURIComponent(session)}?subject=${encodeURIComponent(subject)}`, ROOT).href;

async function fetched(path) {
  try {
    const response = await fetch(new URL(path, ROOT), { signal: AbortSignal.timeout(ANSWER_MS) });
    if (response.status === 401) await leaveIfOver();
    const answer = await response.json();
    return response.ok ? answer : { error: answer.error ?? "The dashboard said no." };
  } catch {
    return { error: "No connection to the dashboard: what you see may be old." };
  }
}

function trouble(text) {
  say($("trouble"), text);
  $("trouble").hidden = !text;
}

async function load() {
  const mine = asked += 1;
  const query = new URLSearchParams({ days: $("days").value });
  for (const name of ["metric", "by"]) if ($(name).value) query.set(name, $(name).value);
  const answer = await fetched(`api/trend/${encodeURIComponent(subject)}?${query}`);
  if (mine !== asked) return; // asked again since
  trouble(answer.error ?? "");
  if (answer.error) {
    if (!told) say($("measure-sentence"), "");
    return;
  }
  told = answer;
  show();
}

const title = (metric) => catalogue[metric]?.title ?? metric;

function lineName(line) {
  const side = SIDES[line.side] ?? line.side;
  return [side, told.lines.filter((other) => other.side === line.side).length > 1 ? line.algorithm : ""].filter(Boolean).join(", ") || title(told.metric);
}

function show() {
  $("simulated").hidden = !told.simulated;
  document.title = `Trend of ${subject} · rehab-gateway`;
  say($("title"), `Trend of ${subject}`);
  const since = told.first_us === null ? "" : `, since ${day(told.first_us)}`;
  const mixed = told.both_kinds ? ". Simulated and real numbers are kept apart: these are of the newest kind" : "";
  say($("about"), `${count(told.sessions, "session")}${since}${mixed}`);
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
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const axis = { stroke: colour("soft"), font: `${0.75 * rem}px system-ui, sans-serif`, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  plot = new uPlot({
    width: $("plot").clientWidth || 600, height: HEIGHT, legend: { show: false }, cursor: { show: false }, select: { show: false },
    padding: [10, 16, 0, 0],
    hooks: { draw: [drawMilestones] },
    scales: { x: { time: true, range: () => [told.from_us / 1e6, told.to_us / 1e6] } },
    axes: [{ ...axis, size: 2.5 * rem, space: 5.6 * rem, values: (_u, splits) => splits.map((time) => day(time * 1e6)) }, { ...axis, size: 3.5 * rem }],
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
  if (!good.length) return `${lineName(line)}: no value`;
  const values = good.map(({ value }) => value);
  const doubtful = line.points.filter(({ quality }) => quality !== "ok").length;
  const gaps = gapsOf(line);
  return [
    `${lineName(line)}: ${count(good.length, EACH[told.by])}, ${number(values[0], digits)} at first (${day(good[0].at_us)}), `
    + `${number(values.at(-1), digits)} at last (${day(good.at(-1).at_us)}), from ${number(Math.min(...values), digits)} to ${number(Math.max(...values), digits)}${unit}`,
    gaps ? `${count(gaps, "gap")}` : "", doubtful ? `${doubtful} not of good quality` : "",
  ].filter(Boolean).join("; ");
}

function showMeasure() {
  const about = catalogue[told.metric];
  const unit = about?.unit_text ? ` ${about.unit_text}` : "";
  const digits = about?.digits ?? 2;
  say($("measure-title"), told.metric ? `${title(told.metric)}${unit ? `, ${about.unit_text}` : ""}, each point a ${EACH[told.by]}` : "Measure");
  const patterns = ["solid line", "dashed line", "dotted line", "line of dashes and dots"];
  const key = told.lines.length > 1 ? told.lines.map((line, i) => `${lineName(line)}: ${patterns[i % patterns.length]}`) : [];
  if (told.lines.some(({ points }) => points.some(({ quality }) => quality === "degraded"))) key.push("hollow circle: not of good quality");
  keep($("key"), key, () => make("span"), say);
  const words = told.lines.length ? `${told.lines.map((line) => sentence(line, digits, unit)).join(". ")}. A gap in the line is a time without a measurement.`
    : "Nothing was measured within this time.";
  say($("measure-sentence"), words);
  $("plot").setAttribute("aria-label", `${title(told.metric)}: ${words}`);
  $("plot").hidden = !told.lines.length;
  draw();
  const heads = [EACH[told.by] === "session" ? "Session" : EACH[told.by] === "week" ? "Week from" : "Day", ...told.lines.map(lineName)];
  $("measure-table").tHead.replaceChildren(make("tr", {}, ...heads.map((text) => make("th", { scope: "col", textContent: text }))));
  const rows = new Map();
  told.lines.forEach(({ points }, i) => points.forEach((point) => {
    const key = `${point.at_us} ${point.session}`;
    if (!rows.has(key)) rows.set(key, { at: point.at_us, session: point.session, cells: [] });
    rows.get(key).cells[i] = point;
  }));
  const body = $("measure-table").tBodies[0];
  body.replaceChildren(...[...rows.values()].sort((a, b) => b.at - a.at).map(({ at, session, cells }) => make("tr", {},
    make("th", { scope: "row" }, session ? make("a", { href: report(session), textContent: day(at) }) : day(at)),
    ...told.lines.map((_line, i) => make("td", { textContent: cell(cells[i], digits) })))));
}

function cell(point, digits) {
  if (!point || point.value === null) return "–";
  return `${number(point.value, digits)}${point.quality === "ok" ? "" : ` (${point.quality})`}`;
}

function svg(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function showWeeks() {
  const { weeks } = told;
  const planned = weeks.filter((week) => week.planned > 0);
  const total = weeks.reduce((sum, { sessions }) => sum + sessions, 0);
  const reached = planned.filter((week) => week.sessions >= week.planned).length;
  const empty = weeks.filter(({ sessions }) => !sessions).length;
  const words = !weeks.length ? "No session yet." : `${count(total, "session")} in ${count(weeks.length, "week")}${empty ? `, ${empty} of them without one` : ""}. ${
    planned.length ? `The planned number was reached in ${reached} of ${count(planned.length, "week")} with a plan.` : "No number is planned."}`;
  say($("weeks-sentence"), words);
  $("weeks").setAttribute("aria-label", words);
  $("weeks").hidden = $("weeks-key").hidden = !weeks.length;
  if (weeks.length) say($("weeks-key"), `From the week of ${day(weeks[0].from_us)} to that of ${day(weeks.at(-1).from_us)}. Bars: sessions, the highest ${Math.max(...weeks.map(({ sessions }) => sessions))}${planned.length ? "; dashed line: planned" : ""}.`);
  const most = Math.max(1, ...weeks.flatMap((week) => [week.sessions, week.planned]));
  const [wide, high] = [WEEKS_WIDE / Math.max(1, weeks.length), 100];
  const up = (n) => high - (n / most) * high + 14;
  const image = svg("svg", { viewBox: `0 0 ${WEEKS_WIDE} 130`, preserveAspectRatio: "none", "aria-hidden": "true" });
  image.append(svg("line", { class: "base", x1: 0, x2: WEEKS_WIDE, y1: up(0), y2: up(0) }));
  weeks.forEach(({ sessions, planned: wanted }, i) => {
    if (sessions) image.append(svg("rect", { class: "done", x: (i + 0.15) * wide, y: up(sessions), width: wide * 0.7, height: up(0) - up(sessions) }));
    if (wanted) image.append(svg("line", { class: "planned", x1: i * wide, x2: (i + 1) * wide, y1: up(wanted), y2: up(wanted) }));
  });
  $("weeks").replaceChildren(image);
  keep($("weeks-table").tBodies[0], [...weeks].reverse(), () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td")), (row, week) => {
    say(row.children[0], day(week.from_us));
    say(row.children[1], String(week.sessions));
    say(row.children[2], week.planned ? String(week.planned) : "none");
  });
}

const milestone = (kind, text) => (kind === "test" ? `Test: ${text}` : kind === "mark" ? `Mark: ${text}` : text);

function showMilestones() {
  $("no-milestones").hidden = told.milestones.length > 0;
  $("milestones").hidden = !told.milestones.length;
  $("milestones").tBodies[0].replaceChildren(...[...told.milestones].reverse().map(({ at_us: at, kind, text, session }) => make("tr", {},
    make("th", { scope: "row", textContent: day(at) }),
    make("td", {}, session ? make("a", { href: report(session), textContent: milestone(kind, text) }) : milestone(kind, text)))));
}

$("choices").addEventListener("change", async () => {
  await load();
  speak($("measure-sentence").textContent);
});
$("choices").addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", () => plot?.setSize({ width: $("plot").clientWidth, height: HEIGHT }));
onColourChange(() => told && draw());
say($("title"), `Trend of ${subject}`);
await signedIn;
const found = await fetched("api/catalogue");
catalogue = found.error ? {} : found;
await load();
