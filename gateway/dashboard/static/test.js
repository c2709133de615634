// A timed test, from the choice to the result: what runs is the gateway's session, which every screen sees alike.

import { change, changeAt, newKey, tell } from "./change.js";
import { $, GATEWAY, ROOT, calm, keep, make, mark, ofGateway, onColourChange, say, speak } from "./dom.js";
import { ask, follow, loadCatalogue, now } from "./live.js";
import { mayChange, rights } from "./rights.js";
import { Prepare } from "./test_prepare.js";
import { Report } from "./test_report.js";
import { Result, isOf } from "./test_result.js";
import { t } from "./texts.js";
import { number, protocolWords, sessionWords } from "./words.js";

const TICK_MS = 100;
const OLD_S = 5; // a figure that is older is no more of now
const RECENT_S = 1800; // the result of a test that was over so long ago is shown at first
const RETRY_MS = 2000;
const FIGURES = { steps: t("test.steps"), cadence: t("test.steps_a_minute"), turns: t("test.turns"), rises: t("test.stood_up"), heart: t("test.heart_bpm") };
const COUNTED = ["steps", "turns", "rises"];

const name = decodeURIComponent(location.pathname.split("/").pop());
const catalogue = await loadCatalogue();
const offered = await loadTests();
let told = null;
let may = [];
let view = ""; // "prepare" or "result", while nothing runs
let running = null; // id of the session that this page saw running
let busy = false;
let of = null; // whom what was chosen on this page is for

async function loadTests() {
  for (;;) {
    const found = await ask("api/tests");
    if (found) return found;
    await new Promise((wait) => { setTimeout(wait, RETRY_MS); });
  }
}

// What became of something that was asked for somebody who is no longer in the bed is said with their name.
const named = (text, subject) => (subject === of ? text : `${subject}: ${text}`);

const said = {
  done(text, subject = of) {
    if (subject === of) refuse("");
    tell(named(text, subject));
  },
  failed: (text, subject = of) => refuse(named(text, subject)),
};

function refuse(text) {
  say($("refused"), text);
  $("refused").hidden = !text;
  if (text) $("refused").scrollIntoView({ block: "nearest" });
}

const prepare = new Prepare(offered.tests, () => show());
const result = new Result(catalogue, said);
const report = new Report(catalogue, offered.forms, offered.form_problems, said);

// The test of a protocol: the one whose own fields it has, else one of its word.
function testOf(protocol) {
  const [word, ...fields] = protocol.split(" ");
  const alike = offered.tests.filter((test) => test.word === word);
  return alike.find((test) => test.protocol.split(" ").slice(1).every((field) => fields.includes(field))) ?? alike[0] ?? null;
}

const lastOf = (bed) => bed.ended.filter((one) => !one.discarded && testOf(one.protocol)).sort((a, b) => b.ended_us - a.ended_us)[0] ?? null;

async function ward(command, fields, words) {
  if (busy) return;
  busy = true;
  const subject = of;
  show();
  const answer = await change(command, fields, newKey());
  busy = false;
  if (answer.error) said.failed(answer.error, subject);
  else {
    if (subject === of) refuse("");
    speak(named(words, subject));
  }
  show();
}

$("start").addEventListener("click", () => {
  const protocol = prepare.protocol();
  if (!protocol) { prepare.complain(refuse); return; }
  ward("session-start", { subject: told.bed.subject.id, protocol }, t("test.has_started", { title: prepare.test.title }));
});
const open = () => told.bed.session.id;
$("stop").addEventListener("click", () => ward("session-end", { session: open() }, t("test.stopped")));
$("go-on").addEventListener("click", () => ward("session-resume", { session: open() }, t("test.it_goes_on")));
$("lap").addEventListener("click", () => ward("session-mark", { session: open(), text: "lap" }, t("test.lap")));
$("again").addEventListener("click", () => { view = "prepare"; show(); $("tests").querySelector(":checked, input")?.focus(); });
$("to-result").addEventListener("click", () => { view = "result"; show(); $("result-title").focus(); });

function problem({ subject, session, worn }) {
  if (!subject) return t("test.nobody_this_bed_admit_somebody");
  if (session && !testOf(session.protocol)) return t("test.session_end_beds_page_first", { protocol: protocolWords(session.protocol), state: sessionWords(session.state) });
  if (!session && !worn.length && !lastOf(told.bed)) return t("common.wears_no_sensor_put_one", { id: subject.id });
  return "";
}

function tick() {
  const session = told?.bed?.session;
  if (!session || $("run").hidden) return;
  const seconds = Math.max(0, now() - session.started_us / 1e6);
  const whole = Math.floor(seconds / 60);
  say($("timer"), `${whole}:${(seconds - 60 * whole).toFixed(calm() ? 0 : 1).padStart(calm() ? 2 : 4, "0")}`);
  const { lasts_s: lasts } = testOf(session.protocol);
  const left = lasts === null ? null : Math.ceil(lasts - seconds);
  mark($("lasts"), left !== null && left <= 0 ? "lasts up" : "lasts");
  say($("lasts"), session.state === "paused" ? t("test.paused") : left === null ? "" : left > 0 ? t("test.s_left", { left }) : t("test.time_up_press_stop"));
}

function figure([key, shown]) {
  const counted = COUNTED.includes(key);
  const old = !counted && (!shown || now() - shown.end_us / 1e6 > OLD_S || shown.value === null);
  return { word: FIGURES[key], text: counted ? String(shown) : old ? "–" : number(shown.value, 0), old };
}

function showRunning(session) {
  const test = testOf(session.protocol);
  running = session.id;
  say($("running"), session.state === "paused" ? t("test.paused_2", { title: test.title }) : test.title);
  const mine = isOf(session.id, told.session_of_numbers); // what is counted is of this session, or not shown
  keep($("figures"), mine ? test.figures.map((key) => figure([key, told.live[key]])) : [],
    () => make("div", {}, make("dt"), make("dd")), (node, { word, text, old }) => {
      mark(node, old ? "old" : "");
      say(node.children[0], word);
      say(node.children[1], text);
    });
  say($("during"), test.during);
  const main = told.results.findLast((one) => one.value !== null && isOf(session.id, one.session) && one.metric === (test.timed || test.results[0]));
  say($("found"), main ? t("test.the_movement_was_found", { value: number(main.value, catalogue[main.metric].digits), unit_text: catalogue[main.metric].unit_text }) : "");
  say($("stop-when"), test.laps ? `${test.stop} ${t("test.laps_so_far", { length: session.marks_us.length })}` : test.stop);
  tick();
}

function showControls(session, ready) {
  const paused = session?.state === "paused";
  const test = session && testOf(session.protocol);
  const shown = { start: !session && view === "prepare" && ready, lap: Boolean(test?.laps) && !paused, "go-on": paused, stop: Boolean(test) };
  const allowed = { start: "session-start", lap: "session-mark", "go-on": "session-resume", stop: "session-end" };
  for (const [id, wanted] of Object.entries(shown)) {
    $(id).hidden = !wanted || !may.includes(allowed[id]);
    $(id).disabled = busy || (id === "start" && !prepare.test);
  }
  $("controls").hidden = Object.keys(shown).every((id) => $(id).hidden);
}

function show() {
  if (!told) return;
  const { bed } = told;
  changeAt(told.gateway);
  const who = bed?.subject?.id ?? of; // a bed that is empty for a moment is nobody else's yet
  if (of !== null && who !== of) {
    [view, running] = ["", null];
    prepare.reset();
    refuse("");
  }
  of = who;
  const trouble = bed ? problem(bed) : told.number === null ? t("common.waiting_for_gateway_has_not") : t("common.ward_has_no_bed", { name });
  say($("empty"), trouble);
  $("empty").hidden = !trouble;
  const label = bed ? (GATEWAY ? t("common.bed_of_gateway", { label: bed.label, gateway: GATEWAY }) : bed.label) : name;
  say($("label"), label);
  document.title = t("test.test_rehab_gateway", { label });
  say($("subject"), bed?.subject?.id ?? t("common.nobody"));
  const session = trouble ? null : bed.session;
  const last = trouble ? null : lastOf(bed);
  if (running && !session && last?.id === running) {
    running = null;
    view = "result";
    setTimeout(() => $("result-title").focus());
  }
  if (!view) view = last && now() - last.ended_us / 1e6 < RECENT_S ? "result" : "prepare";
  if (view === "result" && !last) view = "prepare";
  $("run").hidden = !session;
  if (!session) say($("found"), ""); // it is of no other test
  $("prepare").hidden = Boolean(trouble || session) || view !== "prepare";
  $("result").hidden = Boolean(trouble || session) || view !== "result";
  $("to-result").hidden = !last;
  if (session) showRunning(session);
  else if (!trouble && view === "prepare") prepare.show(bed.worn, told.signals);
  else if (!trouble) showResult(last);
  showControls(session, !trouble && bed.worn.length > 0);
}

function showResult(last) {
  result.mayCorrect = may.includes("test-correct");
  result.open(last, testOf(last.protocol), name);
  result.take(told.results);
  report.open(last);
  report.show(result.reported());
}

$("back").href = new URL(ofGateway(`bed/${encodeURIComponent(name)}`), ROOT).href;
$("live").href = new URL(ofGateway(`patient/${encodeURIComponent(name)}`), ROOT).href;
mayChange.then((found) => { may = found; show(); });
rights($("rights"));
setInterval(tick, TICK_MS);
onColourChange(() => location.reload()); // the plot keeps its colours
follow(ofGateway(`?test=${encodeURIComponent(name)}`), (state) => { told = state; show(); });
