// The fleet: every gateway in a row, and how far a roll-out is. Read only: what is changed is changed at the desk.

import { $, keep, make, mark, say } from "./dom.js";
import { follow, silence } from "./live.js";
import { kindWords } from "./notices.js";
import { all, has, t } from "./texts.js";
import { age, number } from "./words.js";

const COLUMNS = [
  t("fleet.gateway"), t("fleet.how_it_is"), t("fleet.heard"), t("fleet.version"), t("common.notices"), t("fleet.clock"), t("fleet.certificate"),
  t("fleet.waiting"), t("fleet.disk_free"), t("fleet.ring"), t("fleet.last_roll_out"),
];
const CLOCK_OFF_S = 2; // beyond the way of a message
const CERTIFICATE_DAYS = 30; // a gateway's agent renews it four months before its end: less says that it does not
const DISK_LOW = 0.1;
const GIGA = 1e9;

const isNumber = (value) => typeof value === "number";

function clockWords({ clock_s, synchronised }) {
  if (!isNumber(clock_s)) return ["–", false];
  const off = Math.abs(clock_s) > CLOCK_OFF_S;
  const seconds = number(Math.abs(clock_s), 1);
  const words = !off ? t("fleet.right") : clock_s > 0 ? t("fleet.ahead", { seconds }) : t("fleet.behind", { seconds });
  return synchronised === false ? [t("fleet.nothing_keeps_it", { clock: words }), true] : [words, off];
}

function certificateWords({ certificate_days: days }) {
  if (!isNumber(days)) return ["–", false];
  return days < 0 ? [t("fleet.is_over"), true] : [t("fleet.days", { n: Math.floor(days) }), days < CERTIFICATE_DAYS];
}

function diskWords({ disk_free: free, disk_total: total }) {
  if (!isNumber(free)) return ["–", false];
  return [t("fleet.gigabytes", { room: number(free / GIGA, 1) }), isNumber(total) && free < DISK_LOW * total];
}

const WORDS = {
  upgrade: t("fleet.kind_upgrade"), configuration: t("fleet.kind_configuration"),
  open: t("fleet.state_open"), stopped: t("fleet.state_stopped"), aborted: t("fleet.state_aborted"), done: t("fleet.state_done"),
  waiting: t("fleet.outcome_waiting"), fetching: t("fleet.outcome_fetching"), applying: t("fleet.outcome_applying"),
  committed: t("fleet.outcome_committed"), failed: t("fleet.outcome_failed"),
};
const worded = (word) => WORDS[word] ?? word;

const healths = all("gateway_health");

// How a gateway is, in the language of the page where it is one of the texts; the kinds of its notices too.
function healthWords({ health, health_said: told }) {
  if (!told || !has(`gateway_health.${told.key}`)) return health;
  const { codes } = told.values;
  return healths(told.key, codes ? { codes: codes.split(", ").map(kindWords).join(", ") } : told.values);
}

function resultWords({ result }) {
  if (!result || !result.version) return [result?.refused ? t("fleet.refused_a_plan", { why: result.refused }) : "–", Boolean(result?.refused)];
  const shape = { committed: "✓ ", failed: "▲ " }[result.outcome] ?? "";
  const words = [`${shape}${result.version} ${worded(result.outcome)}`, result.why].filter(Boolean).join(": ");
  return [result.refused ? t("fleet.and_refused_a_plan", { result: words, why: result.refused }) : words, result.outcome === "failed" || Boolean(result.refused)];
}

function cells(one) {
  const shape = one.well ? "✓" : "▲";
  const notices = one.notices ? [`▲ ${one.notices}`, true] : ["0", false];
  const ring = one.in_fleet === false && one.state !== "revoked" ? [t("fleet.not_in_the_fleet"), true] : [one.ring || "–", false];
  return [
    [one.gateway, false], [`${shape} ${healthWords(one)}`, !one.well], [isNumber(one.age_s) ? age(one.age_s + silence()) : t("fleet.never"), false],
    [one.version || "–", false], notices, clockWords(one), certificateWords(one),
    [isNumber(one.outbox) ? String(one.outbox) : "–", false], diskWords(one), ring, resultWords(one),
  ];
}

function makeRow() {
  const row = make("tr", {}, make("th", { scope: "row" }));
  for (const name of COLUMNS.slice(1)) row.append(make("td", { "data-name": name }));
  return row;
}

const LONG = [1, COLUMNS.length - 1]; // sentences

function updateRow(row, one) {
  cells(one).forEach(([text, off], i) => {
    say(row.children[i], text);
    mark(row.children[i], [LONG.includes(i) ? "sentence" : "", off ? "off" : ""].filter(Boolean).join(" "));
  });
}

function showRollOut(rollOut) {
  $("roll-out").hidden = !rollOut;
  if (!rollOut) return;
  mark($("roll-out"), ["roll-out", ["stopped", "aborted"].includes(rollOut.state) ? "off" : ""].filter(Boolean).join(" "));
  say($("roll-out-words"), `${rollOut.state === "stopped" ? "▲ " : ""}${worded(rollOut.kind)} ${rollOut.version}: ${worded(rollOut.state)}. ${rollOut.why}`);
  keep($("rings"), rollOut.rings, () => make("li"), (item, name, i) => {
    const now = i + 1 === rollOut.open && rollOut.state !== "done";
    const ring = `${i + 1}. ${name}`;
    const done = i + 1 < rollOut.open || rollOut.state === "done";
    say(item, done ? `${ring} ✓` : now ? t("fleet.ring_now", { ring }) : ring);
    mark(item, now ? "now" : "");
  });
}

follow("?view=fleet", ({ fleet }) => {
  const { gateways, invited, desk, trouble, roll_out } = fleet;
  keep($("gateways").tBodies[0], gateways, makeRow, updateRow);
  $("gateways").hidden = gateways.length === 0;
  $("empty").hidden = gateways.length > 0;
  const well = gateways.filter((one) => one.well).length;
  say($("counts"), gateways.length ? t("fleet.well_of", { well, n: gateways.length }) : "");
  showRollOut(roll_out);
  const waiting = invited.length ? ` ${t("fleet.invited", { names: invited.join(", ") })}` : "";
  const words = desk === null ? t("fleet.does_not_hear_desk") : desk ? "" : t("fleet.desk_not_heard");
  say($("remark"), `${trouble ? `▲ ${trouble}. ` : ""}${words}${waiting}`);
  mark($("remark"), `remark${trouble ? " off" : ""}`);
});
