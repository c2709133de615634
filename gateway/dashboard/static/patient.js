// One patient, live: numbers, raw movement, strides, joints, the last ten minutes.

import { makeChip, updateChip } from "./chip.js";
import { $, GATEWAY, ROOT, keep, make, mark, ofGateway, onColourChange, say, speak } from "./dom.js";
import { Exoskeleton } from "./exoskeleton.js";
import { ExoskeletonCycles } from "./exoskeleton_cycles.js";
import { Joints } from "./joints.js";
import { follow, loadCatalogue, now, silence, speakStale } from "./live.js";
import { Newest } from "./newest.js";
import { mayChange } from "./rights.js";
import { Strides } from "./strides.js";
import { Strip } from "./strip.js";
import { Tests } from "./tests.js";
import { t } from "./texts.js";
import { Trend } from "./trend.js";
import { Wearer } from "./wearer.js";
import { ACTIVITY, STALE_S, duration, long, protocolWords, reading, sideWords, signal } from "./words.js";

const SPEAK_MS = 15000;
const ONE_SIDED = ["left", "right"]; // what is of one foot alone is told with its name
const WORST = ["invalid", "degraded", "ok"];

const slot = decodeURIComponent(location.pathname.split("/").pop());
const bed = GATEWAY ? t("patient.of", { slot, gateway: GATEWAY }) : slot; // another gateway may have one of the same name
const catalogue = await loadCatalogue();
const strip = new Strip($("lanes"));
const strides = new Strides();
const joints = new Joints(catalogue);
const exoskeletonCycles = new ExoskeletonCycles(catalogue);
const newest = new Newest(catalogue);
const tests = new Tests(catalogue);
const exoskeleton = new Exoskeleton(catalogue);
const wearer = new Wearer(bed, beginAnew);
const trends = [
  [new Trend($("trend-cadence"), slot, catalogue.cadence, "both", 30), "cadence", ["both"]],
  [new Trend($("trend-heart"), slot, catalogue.heart_rate, "none", 30), "heart_rate", ["none"]],
];

// Who never wore an oximeter has no empty curve of it.
function offerOxygen(values) {
  if (!$("trend-oxygen").hidden || !pick(values, "spo2", ["none"])) return;
  $("trend-oxygen").hidden = false;
  trends.push([new Trend($("trend-oxygen"), slot, catalogue.spo2, "none", 10), "spo2", ["none"]]);
}

// Numbers, strides and joints follow the server, and trends whose they are; the strip is told.
function beginAnew() {
  freeze(false);
  strip.clear();
}

// --- the row of big numbers ---

function pick(values, metric, sides) {
  for (const name of sides) {
    const found = values.find((value) => value.metric === metric && value.side === name);
    if (found) return found;
  }
  return null;
}

// Of both feet, or of the one that told last: a number of long ago is no half of one of now.
function strideTime(values) {
  const whole = pick(values, "stride_time", ["both", "none"]);
  const told = ["left", "right"].map((name) => pick(values, "stride_time", [name])).filter((value) => value && value.value !== null);
  if (whole || !told.length) return whole;
  const newest = Math.max(...told.map((foot) => foot.end_us));
  const feet = told.filter((foot) => newest - foot.end_us <= STALE_S * 1e6);
  return {
    side: feet.length > 1 ? "both" : feet[0].side,
    value: feet.reduce((sum, foot) => sum + foot.value, 0) / feet.length,
    end_us: newest,
    quality: WORST.find((quality) => feet.some((foot) => foot.quality === quality)),
    reason: feet.map((foot) => foot.reason).find(Boolean) ?? "",
  };
}

function symmetryWords(shown, text) {
  if (!shown || shown.value === null || Number(text.replace("−", "-")) === 0) return "";
  return shown.value > 0 ? t("patient.right_steps_take_longer") : t("patient.left_steps_take_longer");
}

function cards(values) {
  const speed = pick(values, "walking_speed", ["both", "none", "left", "right"]);
  const index = pick(values, "symmetry_index", ["both"]);
  const ratio = pick(values, "symmetry_ratio", ["both"]);
  const oxygen = pick(values, "spo2", ["none"]);
  return [
    ["cadence", pick(values, "cadence", ["both"])],
    speed ? ["walking_speed", speed] : ["stride_time", strideTime(values)],
    index || !ratio ? ["symmetry_index", index] : ["symmetry_ratio", ratio],
    ["heart_rate", pick(values, "heart_rate", ["none"])],
    ...(oxygen ? [["spo2", oxygen]] : []),
  ];
}

const SHORT_TITLES = { symmetry_index: t("patient.step_symmetry"), symmetry_ratio: t("patient.step_symmetry") };

function makeCard() {
  return make("article", { className: "number-card" }, make("h2"),
    make("p", { className: "number" }, make("b"), make("span", { className: "unit" })), make("p", { className: "remark" }));
}

function updateCard(card, [id, shown]) {
  const metric = catalogue[id];
  const { text, old, doubt, remark, unit } = reading(metric, shown, now());
  const words = id === "symmetry_index" && !old && !doubt ? symmetryWords(shown, text) : ONE_SIDED.includes(shown?.side) ? sideWords(shown.side) : "";
  mark(card, `number-card${old ? " old" : ""}${doubt ? " doubt" : ""}`);
  say(card.querySelector("h2"), SHORT_TITLES[id] ?? metric.title);
  if (card.title !== metric.description) card.title = metric.description;
  say(card.querySelector("b"), text);
  say(card.querySelector(".unit"), unit);
  say(card.querySelector(".remark"), [words, remark].filter(Boolean).join(" · "));
}

let spokeAt = performance.now();
function speakNumbers(shown) {
  if (performance.now() - spokeAt < SPEAK_MS) return;
  spokeAt = performance.now();
  const said = shown.filter(([id]) => ["cadence", "heart_rate", "spo2"].includes(id)).map(([id, value]) => {
    const { text, old, unit } = reading(catalogue[id], value, now());
    return value ? `${catalogue[id].title} ${old ? t("patient.no_data") : `${text} ${unit}`}` : "";
  }).filter(Boolean);
  if (said.length) speak(said.join(", "));
}

// --- which signals the strip shows ---

let devices = [];
let offered = "";

// What is sampled at a rate can be drawn; what comes when it comes (a heart rate, a battery) has none.
function sampled(device) {
  return Object.entries(device.streams ?? {}).find(([, stream]) => stream.rate_hz > 0 && stream.channels?.length);
}

function groups() {
  const able = devices.filter(sampled);
  const pairs = ["foot", "shank", "thigh", "wrist"].map((part) => ({
    id: part, title: { foot: t("patient.both_feet"), shank: t("patient.both_shanks"), thigh: t("patient.both_thighs"), wrist: t("patient.both_wrists") }[part],
    devices: ["left", "right"].map((name) => able.find((device) => device.placement === `${name}_${part}`)),
  })).filter((pair) => pair.devices.every(Boolean));
  const title = (device) => (!device.placement ? device.id
    : able.some((other) => other !== device && other.placement === device.placement) ? `${long(device.placement)}: ${device.id}` : long(device.placement));
  return [...pairs, ...able.map((device) => ({ id: device.id, title: title(device), devices: [device] }))];
}

function offer(select, options) {
  const kept = options.some(([value]) => value === select.value) ? select.value : null;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, textContent: text })));
  if (kept !== null) select.value = kept;
}

function channels(group) {
  const lists = group.devices.map((device) => sampled(device)[1].channels);
  return lists[0].filter((channel) => lists.every((list) => list.includes(channel)));
}

function offerSignals() {
  const group = groups().find(({ id }) => id === $("sensor").value);
  if (!group) return;
  const before = $("signal").value;
  offer($("signal"), channels(group).map((channel) => [channel, signal(channel)]));
  const names = channels(group);
  const usual = names.includes(before) ? before : names.includes("gyr_y") ? "gyr_y" : names[0];
  $("signal").value = usual;
}

function showStrip() {
  const group = groups().find(({ id }) => id === $("sensor").value);
  const channel = $("signal").value;
  const wanted = group && channel ? group.devices.map((device) => ({ device, stream: sampled(device)[0], channel })) : [];
  strip.show(wanted);
  say($("strip-note"), wanted.length ? "" : t("patient.no_sensor_this_bed_sends"));
  for (const id of ["sensor", "signal", "freeze"]) $(id).disabled = wanted.length === 0;
}

function offerSensors() {
  const key = JSON.stringify(devices.map(({ id, placement, streams }) => [id, placement, streams]));
  if (key === offered) return;
  offered = key;
  offer($("sensor"), groups().map(({ id, title }) => [id, title]));
  offerSignals();
  showStrip();
}

$("sensor").addEventListener("change", () => { offerSignals(); showStrip(); });
$("signal").addEventListener("change", showStrip);
function freeze(on) {
  strip.frozen = on;
  $("freeze").setAttribute("aria-pressed", String(on));
  say($("freeze"), on ? t("patient.frozen_go_on") : t("patient.freeze"));
}

$("freeze").addEventListener("click", () => freeze(!strip.frozen));
onColourChange(() => location.reload()); // canvases keep their colours: simplest is to draw all anew

// --- all of it, at each word of the server ---

function show({ slot: patient }) {
  const known = patient.devices.length > 0 || patient.age_s !== null;
  $("empty").hidden = known;
  $("sheet").hidden = !known;
  say($("label"), patient.label);
  wearer.take(patient, now());
  say($("subject"), [patient.subject || (patient.known ? t("common.nobody") : ""), protocolWords(patient.protocol)].filter(Boolean).join(" · "));
  document.title = t("patient.rehab_gateway", { label: patient.label });
  const nobody = patient.known && !patient.subject && !patient.session;
  say($("empty"), nobody ? t("patient.nobody_is_in", { label: patient.label }) : patient.known ? t("patient.has_no_sensors_that_send", { label: patient.label })
    : t("patient.nothing_known_gateway_has_no", { label: patient.label }));
  const seconds = patient.age_s === null ? null : patient.age_s + silence();
  const [name, shape, word] = seconds !== null && seconds <= STALE_S ? ACTIVITY[patient.activity] ?? ACTIVITY[""] : ACTIVITY[""];
  mark($("activity"), `activity ${name}`);
  say($("activity"), `${shape} ${word}`.trim());
  if (known) speakStale(patient.label, seconds);
  devices = patient.devices;
  keep($("devices"), devices, makeChip, updateChip);
  const shown = cards(patient.values);
  keep($("numbers"), shown, makeCard, updateCard);
  speakNumbers(shown);
  offerSensors();
  strides.show(patient.strides);
  const latest = Math.max(...Object.values(patient.strides).flat().map((stride) => stride.end_us / 1e6));
  const since = now() - latest;
  say($("strides-age"), Number.isFinite(since) && since > STALE_S ? t("patient.last_one_ago", { since: duration(since) }) : "");
  joints.show(patient, now());
  exoskeleton.show(patient.values, now());
  exoskeletonCycles.show(patient, now());
  tests.show(patient.tests);
  newest.show(patient.values, now());
  offerOxygen(patient.values);
  for (const [trend, metric, sides] of trends) trend.take(pick(patient.values, metric, sides), patient, now());
}

$("test").href = new URL(ofGateway(`test/${encodeURIComponent(slot)}`), ROOT).href;
mayChange.then((may) => { $("test").hidden = !may.includes("session-start"); });
$("card").href = new URL(ofGateway(`bed/${encodeURIComponent(slot)}`), ROOT).href;
follow(ofGateway(`?slot=${encodeURIComponent(slot)}`), show);
