// Devices and gateway: what is connected, how well, and what to do about the rest.

import { $, keep, make, mark, ofGateway, say } from "./dom.js";
import { health } from "./health.js";
import { follow, silence } from "./live.js";
import { showNotices } from "./notices.js";
import { age, duration, long, number, state as stateWords } from "./words.js";

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
  return mounting.sure === true ? `${number(mounting.askew_deg, 0)}° off` : "finding out";
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
  if (!place.children.length) place.append(make("p"), make("p", { className: "advice" }));
  cells(device).forEach((text, i) => say(i === STATE ? place.children[0] : row.children[i], text));
  mark(place.children[0], `state${device.state === "streaming" ? "" : " off"}`);
  say(place.children[1], [device.error, device.advice].map(sentence).filter(Boolean).join(" "));
}

const total = (counts) => Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);

const EVERY = 300; // notices: here all of them are shown

function late(name, { p50, p95 } = {}) {
  return typeof p95 === "number" ? [[name, `${number(p50, 0)} / ${number(p95, 0)} ms`]] : [];
}

function facts({ pipeline, outbox, publisher, clock, recorder, disk, delays }) {
  const list = [];
  if (pipeline) {
    list.push(["Samples a second", number(pipeline.samples_per_s, 0)]);
    list.push(["Measurements a second", number(pipeline.measurements_per_s, 1)]);
    const { p50, p95 } = pipeline.latency_ms ?? {};
    list.push(["Sample to number (median / 95 %)", `${number(p50, 0)} / ${number(p95, 0)} ms`]);
  }
  list.push(...late("Event to broker (median / 95 %)", pipeline?.to_broker_ms));
  list.push(...late("Event to message (median / 95 %)", delays?.to_message_ms));
  list.push(...late("Event to page (median / 95 %)", delays?.to_page_ms));
  if (outbox) {
    list.push(["Waiting to be stored", `${outbox.depth} (oldest ${duration(outbox.oldest_s ?? 0)})`]);
    list.push(["Dropped", String(total(outbox.dropped))]);
  }
  if (publisher) list.push(["Broker", publisher.connected ? "connected" : "not connected"]);
  if (clock) list.push(["Clock", clock.synchronised ? "synchronised" : "not synchronised"]);
  if (recorder?.file) list.push(["Recording", recorder.recording ? "running" : "stopped"]);
  if (typeof disk?.free_bytes === "number") list.push(["Free on disk", `${number(disk.free_bytes / 1e9, 1)} GB`]);
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
  say($("empty"), "No devices yet: the gateway has not told of any.");
  keep($("health"), health(state), () => make("li", {}, make("span", { className: "mark", ariaHidden: "true" }), make("span"), make("span", { className: "advice" })), showHealth);
  const streaming = devices.filter((device) => device.state === "streaming").length;
  const beyond = state.more_devices ? `, and ${state.more_devices.toLocaleString("en-GB")} more that are not shown` : "";
  say($("counts"), devices.length ? `${streaming} of ${devices.length} streaming${beyond}` : "");
  keep($("devices").tBodies[0], devices, makeRow, updateRow);
  keep($("facts"), facts(state), () => make("div", {}, make("dt"), make("dd")), (node, [name, text]) => {
    say(node.children[0], name);
    say(node.children[1], text);
  });
});
