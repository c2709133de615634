// One movement, for whoever makes it: a bar or a number, and the band to stay in. Nothing is stored here.

import { Ask } from "./ask.js";
import { changeAt, tell } from "./change.js";
import { $, ROOT, calm, keep, make, mark, ofGateway, say, speak } from "./dom.js";
import { follow, loadCatalogue, now } from "./live.js";
import { Movement, sourceOf } from "./movement.js";
import { Pace } from "./pace.js";
import { chooseFeedback, titleOf } from "./preferences.js";
import { mayChange } from "./rights.js";
import { t } from "./texts.js";
import { Wave } from "./wave.js";
import { FORGET_S, STALE_S, duration, number, unit } from "./words.js";

const QUIET_S = 1; // without samples for so long, what is shown is old
const STEADY_MS = 400; // so long it has to be so before other words stand there
const CALM_MS = 250; // between two looks, for those who asked for less motion
const PACE_MS = 2000;
const WORDS = { within: ["✓", t("feedback.just_right")], below: ["▲", t("feedback.a_little_more")], above: ["▼", t("feedback.a_little_less")], "": ["", ""] };
const UNITS = { lean: ["deg", 0], turning: ["deg/s", 0] };

const name = decodeURIComponent(location.pathname.split("/").pop());
const catalogue = await loadCatalogue();
const pace = new Pace();
let told = null;
let chosen = null;
let movement = null;
let wave = null;
let key = "";
let scale = [0, 1];
let drawn = { value: null, at: 0, time: 0 };
let said = { word: "", since: 0, shown: "" };

const clip = (value) => Math.min(1, Math.max(0, (value - scale[0]) / (scale[1] - scale[0])));

function unitOf() {
  if (chosen.kind === "metric") return [catalogue[chosen.of]?.unit_text ?? "", catalogue[chosen.of]?.digits ?? 0];
  const [code, digits] = UNITS[chosen.kind] ?? [movement?.source.unit, 0];
  return [unit(code), digits];
}

// Room beside the band: as much again on either side, and from nought where nought is near.
function makeScale({ low, high }) {
  const span = high - low;
  scale = [low >= 0 && low - span <= span ? 0 : low - span, high + span];
  const [from, to] = [clip(low), clip(high)];
  $("band").style.setProperty("transform", `translateX(${from * 100}%) scaleX(${to - from})`);
  for (const [id, at, value] of [["low", from, low], ["high", to, high]]) {
    $(id).style.setProperty("left", `${at * 100}%`);
    say($(id), number(value, Number.isInteger(value) ? 0 : 1));
  }
}

function connect() {
  const source = chosen && chosen.kind !== "metric" ? sourceOf(chosen, told.devices) : null;
  const wanted = JSON.stringify([chosen, told.subject, source && [source.device.id, source.stream]]);
  if (wanted === key) return;
  key = wanted;
  wave?.close();
  wave = null;
  movement = source ? new Movement(chosen, source) : null;
  if (movement) wave = new Wave(source.device.id, source.stream, (frame) => movement?.take(frame));
  drawn = { value: null, at: 0, time: 0 };
  said = { word: "", since: 0, shown: "" };
  if (!chosen) return;
  makeScale(chosen);
  put(null); // what stood there is of somebody else, or of another measure
}

function put(value) {
  $("fill").style.setProperty("transform", `scaleX(${value === null ? 0 : clip(value)})`);
  say($("value"), number(value, unitOf()[1]));
}

// What is to be shown now: the newest sample, or the newest number of the gateway; null where there is none that is fresh.
function newest() {
  if (chosen.kind !== "metric") return movement?.newest ?? null;
  const { value } = told;
  return value && value.value !== null && value.quality !== "invalid" ? { value: value.value, at: value.end_us / 1e6 } : null;
}

function place(value) {
  return value < chosen.low ? "below" : value > chosen.high ? "above" : "within";
}

// Words that follow every tremble help nobody: they change when it has been so for a while.
function sayWord(word, time) {
  if (word !== said.word) said = { ...said, word, since: time };
  if (said.shown === word || (said.shown && time - said.since < STEADY_MS)) return;
  said.shown = word;
  const [shape, text] = WORDS[word];
  say($("words").children[0], shape);
  say($("words").children[1], text);
  if (text) speak(text);
}

function draw(time) {
  const found = newest();
  const quiet = found ? now() - found.at : Infinity;
  const old = quiet > (chosen.kind === "metric" ? STALE_S : QUIET_S);
  const word = found && !old ? place(found.value) : "";
  mark($("shown"), `shown ${chosen.shape}${old ? " old" : ""}${said.shown === "within" ? " within" : ""}`);
  if (old) {
    said = { word: "", since: 0, shown: "" };
    say($("words").children[0], "");
    say($("words").children[1], found ? t("feedback.no_data_for", { quiet: duration(quiet) }) : t("feedback.waiting_for_the_sensor"));
    put(quiet > FORGET_S ? null : found.value);
    return;
  }
  sayWord(word, time);
  if (found.at === drawn.at) return;
  drawn = { ...found, time };
  put(found.value);
}

let measured = 0;
let last = 0;
function frame(time) {
  requestAnimationFrame(frame);
  pace.frame(time);
  if (drawn.at && drawn.at !== measured && time > drawn.time) { // this frame begins when the one that was drawn is on the screen
    measured = drawn.at;
    pace.painted(drawn.at, now() - (performance.now() - time) / 1000);
    document.dispatchEvent(new CustomEvent("painted", { detail: { sample_ms: drawn.at * 1000, painted_ms: performance.timeOrigin + time } }));
  }
  if (!chosen || $("shown").hidden || time - last < (calm() ? CALM_MS : 0)) return;
  last = time;
  draw(time);
}

function aimWords() {
  const [words, digits] = unitOf();
  const sharp = Number.isInteger(chosen.low) && Number.isInteger(chosen.high) ? digits : Math.max(1, digits);
  return t("feedback.stay_between_and", { number: number(chosen.low, sharp), number2: number(chosen.high, sharp), words }).replace(" .", ".");
}

function show() {
  if (!told) return;
  say($("subject"), told.label);
  document.title = t("feedback.your_movement_rehab_gateway", { label: told.label });
  connect();
  const ready = chosen && (chosen.kind === "metric" || movement);
  $("shown").hidden = !ready;
  $("empty").hidden = Boolean(ready);
  say($("empty"), !told.subject ? t("feedback.nobody_this_bed") : !chosen ? t("feedback.nothing_chosen_be_shown_yet") : t("feedback.sensor_for_not_worn_or"));
  say($("what"), chosen ? titleOf(chosen, catalogue) : t("feedback.your_movement"));
  $("begin").hidden = chosen?.kind !== "lean";
  if (!ready) return;
  say($("unit"), unitOf()[0]);
  say($("aim"), aimWords());
  $("track").ariaLabel = `${titleOf(chosen, catalogue)}. ${aimWords()}`;
}

const dialog = new Ask((_answer, words) => tell(words), () => {});

const makeRow = () => make("tr", {}, make("th", { scope: "row" }), make("td"));
setInterval(() => {
  if ($("pace").open) keep($("pace-table").tBodies[0] ?? $("pace-table").createTBody(), pace.rows(), makeRow, (row, cells) => cells.forEach((text, i) => say(row.children[i], text)));
}, PACE_MS);

$("card").href = new URL(ofGateway(`bed/${encodeURIComponent(name)}`), ROOT).href;
$("begin").addEventListener("click", () => movement?.begin());
$("choose").addEventListener("click", () => {
  changeAt(told.gateway);
  dialog.open(chooseFeedback(() => told, catalogue));
});
let may = [];
mayChange.then((found) => { may = found; $("choose").hidden = !may.includes("feedback-choose"); });
requestAnimationFrame(frame);
follow(ofGateway(`?feedback=${encodeURIComponent(name)}`), (state) => {
  told = { ...state.feedback, gateway: state.gateway };
  chosen = told.chosen;
  show();
  dialog.refresh();
});
