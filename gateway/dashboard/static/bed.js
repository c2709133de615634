// A bed's card: who is in it, what they wear, what they do; and what of it may be changed by whoever is signed in.

import { Ask } from "./ask.js";
import * as changes from "./changes.js";
import { changeAt, tell } from "./change.js";
import { $, GATEWAY, ROOT, keep, make, mark, ofGateway, say, speak } from "./dom.js";
import { ask as question, follow, now } from "./live.js";
import { bandGroups, plan, planFacts } from "./plan.js";
import { chooseNotices } from "./preferences.js";
import { mayChange, rights } from "./rights.js";
import { signedIn } from "./session.js";
import { t } from "./texts.js";
import { removeBed } from "./ward_beds.js";
import { driverWords, duration, long, number, protocolWords, sessionWords, side, state as stateWords, when } from "./words.js";

const FOLLOWS_MS = 5000; // the page hears of a change within a tenth of a second; after this it shows what it has

const name = decodeURIComponent(location.pathname.split("/").pop());
let told = null;
let may = [];
let until = { number: 0, at: 0 };
let reads = false; // reports and trends

const labelOf = (bed) => (GATEWAY ? t("common.bed_of_gateway", { label: bed.label, gateway: GATEWAY }) : bed.label); // another gateway may have one of the same name
const card = () => ({ bed: told.bed && { ...told.bed, label: labelOf(told.bed) }, others: told.others, devices: told.devices, now: now() });
const waiting = () => told.number < until.number && performance.now() < until.at;

const dialog = new Ask((answer, said) => {
  until = { number: answer.number, at: performance.now() + FOLLOWS_MS };
  tell(said);
  show();
}, lookAgain);

// After a change of which nothing is known: the ward as the server has it now.
async function lookAgain() {
  const before = told.number;
  const found = await question(`api/ward?gateway=${encodeURIComponent(told.gateway)}`);
  if (!found) tell(t("bed.ward_could_not_be_read"));
  else if (found.number === before) tell(t("bed.ward_as_was_before_change", { before }));
  else tell(t("bed.ward_has_changed_change_look", { number: found.number }));
}

const button = () => make("button", { type: "button" });

function updateButton(node, { text, ask, first = false, label }) {
  say(node, text);
  mark(node, first ? "first" : "");
  if (label) node.setAttribute("aria-label", label);
  node.disabled = waiting();
  node.onclick = () => { changeAt(told.gateway); dialog.open(ask()); };
}

function offer(place, found) {
  keep(place, found.filter(({ change }) => may.includes(change)), button, updateButton);
}

function fact() {
  return make("div", {}, make("dt"), make("dd"));
}

function updateFact(node, [word, text, className = ""]) {
  say(node.children[0], word);
  say(node.children[1], text);
  mark(node.children[1], className);
}

const since = (us) => when(us / 1e6, now(), false);

function showPatient({ subject }) {
  keep($("patient"), subject ? [
    [t("common.pseudonym"), subject.id],
    [t("bed.in_this_bed_since"), since(subject.since_us)],
    [t("bed.height"), subject.height_m === null ? t("bed.not_told") : `${number(subject.height_m, 2)} m`],
    ...planFacts(subject),
  ] : [[t("bed.in_this_bed"), t("common.nobody")]], fact, updateFact);
  offer($("patient-actions"), subject ? [
    { text: t("bed.move"), change: "move", ask: () => changes.move(card) },
    { text: t("bed.plan"), change: "plan", ask: () => plan(card) },
    { text: t("bed.notices"), change: "notices-choose", ask: () => chooseNotices(card) },
    { text: t("bed.discharge"), change: "discharge", ask: () => changes.discharge(card) },
  ] : [
    { text: t("bed.admit"), change: "admit", first: true, ask: () => changes.admit(card) },
    { text: t("bed.remove"), change: "remove-bed", ask: () => removeBed(card) },
  ]);
}

function makeWorn() {
  return make("li", {}, make("p", { className: "place" }, make("span"), make("span", { className: "device" })),
    make("p", { className: "state" }), make("div", { className: "actions" }));
}

function updateWorn(item, device) {
  const [where, how, actions] = item.children;
  mark(where, `place ${side(device.placement)}`.trim());
  say(where.children[0], long(device.placement));
  say(where.children[1], `${device.id} · ${driverWords(device.driver)}`);
  const [shape, word] = stateWords(device.state);
  const battery = typeof device.battery === "number" ? ` · ${Math.round(device.battery)} %` : "";
  mark(how, `state${device.state === "streaming" ? "" : " off"}`);
  say(how, `${shape} ${word}${battery}`);
  offer(actions, [
    { text: t("bed.move"), change: "assign", label: t("bed.move_to_another_place", { id: device.id, placement: long(device.placement) }), ask: () => changes.replace(card, device) },
    { text: t("bed.take_off"), change: "take-off", label: t("bed.take_off_2", { id: device.id, placement: long(device.placement) }), ask: () => changes.takeOff(card, device) },
  ]);
}

function showSensors({ subject, worn }) {
  $("no-sensors").hidden = worn.length > 0;
  keep($("worn"), worn, makeWorn, updateWorn);
  const first = worn.length === 0;
  offer($("sensor-actions"), subject ? [{ text: t("bed.put_a_sensor_on"), change: "assign", first, ask: () => changes.assign(card) }] : []);
}

function showSession({ subject, session, ended, worn }) {
  const ready = subject && worn.length > 0;
  $("no-session").hidden = session !== null;
  say($("no-session"), ready ? t("bed.none_is_running") : subject ? t("bed.none_session_needs_sensor") : t("bed.none"));
  keep($("session"), session ? [
    [t("common.protocol"), protocolWords(session.protocol)],
    [t("common.state"), sessionWords(session.state), `state-${session.state}`],
    [t("common.begun"), t("bed.ago", { began: since(session.started_us), duration: duration(Math.max(0, now() - session.started_us / 1e6)) })],
    [t("bed.marks"), session.marks_us.length ? session.marks_us.map((us) => when(us / 1e6, session.started_us / 1e6)).join(", ") : t("common.none")],
  ] : [], fact, updateFact);
  $("earlier").hidden = ended.length === 0;
  keep($("ended"), ended, makeEnded, updateEnded);
  const running = session?.state === "running";
  offer($("session-actions"), session ? [
    running ? { text: t("common.pause"), change: "session-pause", ask: () => changes.pause(card) }
      : { text: t("bed.go_on"), change: "session-resume", first: true, ask: () => changes.resume(card) },
    { text: t("bed.mark"), change: "session-mark", ask: () => changes.mark(card) },
    { text: t("bed.end"), change: "session-end", ask: () => changes.end(card) },
  ] : ready ? [{ text: t("bed.start_a_session"), change: "session-start", first: true, ask: () => changes.start(card) }] : []);
}

const reportOf = ({ id, subject }) => new URL(`report/${encodeURIComponent(id)}?subject=${encodeURIComponent(subject)}`, ROOT).href;

function makeEnded() {
  return make("li", {}, make("p", { className: "place" }, make("span"), make("span", { className: "device" })),
    make("div", { className: "actions" }), make("a", { className: "button-link", textContent: t("bed.report"), hidden: true }));
}

function updateEnded(item, session) {
  const [what, actions, report] = item.children;
  const protocol = protocolWords(session.protocol);
  say(what.children[0], session.discarded ? t("bed.discarded", { protocol }) : protocol);
  say(what.children[1], t("bed.to", { began: since(session.started_us), clock: when(session.ended_us / 1e6, session.started_us / 1e6, false) }));
  report.hidden = !reads;
  report.href = reportOf(session);
  report.setAttribute("aria-label", t("bed.report_of_of", { protocol, began: since(session.started_us) }));
  offer(actions, [
    { text: t("bed.correct"), change: "session-correct", label: t("bed.correct_of", { protocol, began: since(session.started_us) }), ask: () => changes.correct(session) },
    { text: session.discarded ? t("bed.take_back") : t("bed.discard"), change: "session-discard",
      label: session.discarded ? t("bed.take_back_of", { protocol, began: since(session.started_us) }) : t("bed.discard_of", { protocol, began: since(session.started_us) }), ask: () => changes.discard(session) },
  ]);
}

let spoken = null;

function show() {
  if (!told) return;
  const { bed } = told;
  $("card").hidden = !bed;
  $("empty").hidden = Boolean(bed);
  say($("empty"), told.number === null ? t("common.waiting_for_gateway_has_not") : t("common.ward_has_no_bed", { name }));
  $("live").hidden = $("feedback").hidden = !bed;
  $("test").hidden = !bed || !may.includes("session-start");
  $("trend").hidden = !reads || !bed?.subject;
  dialog.refresh();
  if (!bed) {
    say($("subject"), "");
    return;
  }
  say($("label"), labelOf(bed));
  document.title = t("bed.rehab_gateway", { label: labelOf(bed) });
  const who = bed.subject?.id ?? t("common.nobody");
  say($("subject"), who);
  if (spoken !== null && spoken !== who) speak(`${labelOf(bed)}: ${who}`);
  spoken = who;
  if (bed.subject) $("trend").href = new URL(`trend/${encodeURIComponent(bed.subject.id)}`, ROOT).href;
  showPatient(bed);
  showSensors(bed);
  showSession(bed);
}

$("feedback").href = new URL(ofGateway(`feedback/${encodeURIComponent(name)}`), ROOT).href;
$("live").href = new URL(ofGateway(`patient/${encodeURIComponent(name)}`), ROOT).href;
$("test").href = new URL(ofGateway(`test/${encodeURIComponent(name)}`), ROOT).href;
mayChange.then((found) => { may = found; show(); });
signedIn.then((session) => { reads = !session.role || session.reads === true; show(); });
bandGroups.then(show);
rights($("rights"));
follow(ofGateway(`?bed=${encodeURIComponent(name)}`), (state) => { told = state; show(); });
