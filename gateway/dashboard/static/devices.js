// Devices and gateway: what is connected, how well, and what to do about the rest.

import { adviceWords, errorWords } from "./device_words.js";
import { $, keep, make, mark, ofGateway, say } from "./dom.js";
import { health } from "./health.js";
import { follow, silence } from "./live.js";
import { showNotices } from "./notices.js";
import { LANGUAGE, t } from "./texts.js";
import { age, duration, long, number, state as stateWords, whole } from "./words.js";

const COLUMNS = 10;

const STATE = 3;

function sentence(text) {
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
}

function clockWords(clock) {
  if (!clock || typeof clock.drift_ppm !== "number") return "–";
  return `${number(clock.drift_ppm, 1)} ppm ± ${number(clock.uncertainty_ms, 1)} ms`;
}

function strapWords(mounting) {
  if (!mounting || typeof mounting.askew_deg !== "number") return "–";
  return mounting.sure === true ? t("devices.off", { degrees: number(mounting.askew_deg, 0) }) : t("devices.finding_out");
}

function cells(device) {
  const [shape, word] = stateWords(device.state);
  const battery = typeof device.battery === "number" ? `${Math.round(device.battery)} %` : "–";
  const rate = typeof device.rate_hz === "number" ? number(device.rate_hz, 1) : "–";
  const seconds = typeof device.age_s === "number" ? age(device.age_s + statusAge + silence()) : "–";
  return [device.id, device.slot ?? "", long(device.placement), `${shape} ${word}`, rate, String(device.lost ?? "–"),
    battery, clockWords(device.clock), strapWords(device.mounting), seconds];
}

let statusAge = 0; // seconds since the gateway told how old its devices' data are

function makeRow() {
  const row = make("tr", {}, make("th", { scope: "row" }));
  for (let i = 1; i < COLUMNS; i += 1) row.append(make("td"));
  return row;
}

function updateRow(row, device) {
  const place = row.children[STATE];
  if (!place.children.length) place.append(make("p"), make("p", { className: "advice" }, make("span"), " ", make("span")));
  cells(device).forEach((text, i) => say(i === STATE ? place.children[0] : row.children[i], text));
  mark(place.children[0], `state${device.state === "streaming" ? "" : " off"}`);
  const [error, advice] = place.children[1].children;
  const words = errorWords(device.error_said);
  say(error, sentence(words || device.error));
  error.lang = LANGUAGE === "en" || words ? "" : "en"; // words of the device or its driver
  say(advice, sentence(adviceWords(device)));
}

const total = (counts) => Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);

const EVERY = 300; // notices: here all of them are shown

function late(name, { p50, p95 } = {}) {
  return typeof p95 === "number" ? [[name, `${number(p50, 0)} / ${number(p95, 0)} ms`]] : [];
}

function facts({ pipeline, outbox, publisher, clock, recorder, disk, delays }) {
  const list = [];
  if (pipeline) {
    list.push([t("devices.samples_a_second"), number(pipeline.samples_per_s, 0)]);
    list.push([t("devices.measurements_a_second"), number(pipeline.measurements_per_s, 1)]);
    const { p50, p95 } = pipeline.latency_ms ?? {};
    list.push([t("devices.sample_number_median_95"), `${number(p50, 0)} / ${number(p95, 0)} ms`]);
  }
  list.push(...late(t("devices.event_broker_median_95"), pipeline?.to_broker_ms));
  list.push(...late(t("devices.event_message_median_95"), delays?.to_message_ms));
  list.push(...late(t("devices.event_page_median_95"), delays?.to_page_ms));
  if (outbox) {
    list.push([t("devices.waiting_to_be_stored"), t("devices.oldest", { depth: outbox.depth, duration: duration(outbox.oldest_s ?? 0) })]);
    list.push([t("devices.dropped"), String(total(outbox.dropped))]);
  }
  if (publisher) list.push([t("devices.broker"), publisher.connected ? t("devices.connected") : t("devices.not_connected")]);
  if (clock) list.push([t("devices.clock"), clock.synchronised ? t("devices.synchronised") : t("devices.not_synchronised")]);
  if (recorder?.file) list.push([t("devices.recording"), recorder.recording ? t("common.running") : t("common.stopped")]);
  if (typeof disk?.free_bytes === "number") list.push([t("devices.free_on_disk"), `${number(disk.free_bytes / 1e9, 1)} GB`]);
  return list;
}

function showHealth(item, { well, text, advice }) {
  mark(item, well ? "" : "off");
  say(item.children[0], well ? "✓" : "▲");
  say(item.children[1], text);
  say(item.children[2], advice ?? "");
}

follow(ofGateway("?view=devices"), (state) => {
  const devices = state.devices ?? [];
  statusAge = state.status_age_s ?? 0;
  showNotices($("notices"), state.notices, EVERY);
  $("empty").hidden = devices.length > 0;
  $("devices").hidden = devices.length === 0;
  say($("empty"), t("devices.no_devices_yet_gateway_has"));
  keep($("health"), health(state), () => make("li", {}, make("span", { className: "mark", ariaHidden: "true" }), make("span"), make("span", { className: "advice" })), showHealth);
  const streaming = devices.filter((device) => device.state === "streaming").length;
  const beyond = state.more_devices ? t("devices.more_that_are_not_shown", { more: whole(state.more_devices) }) : "";
  say($("counts"), devices.length ? t("devices.of_streaming", { streaming, length: devices.length, beyond }) : "");
  keep($("devices").tBodies[0], devices, makeRow, updateRow);
  keep($("facts"), facts(state), () => make("div", {}, make("dt"), make("dd")), (node, [name, text]) => {
    say(node.children[0], name);
    say(node.children[1], text);
  });
});
