// How devices and gateway are, as a person says it. Only what the status tells is said; what it does not is left out.

import { LOW_BATTERY, duration, number } from "./words.js";

const LATE_STORED_S = 60; // numbers reach the store within seconds: this long means that something between is down
const MOST_NAMED = 4; // sensors in one sentence
const GB = 1e9;

const well = (text) => ({ well: true, text });
const trouble = (text, advice = "") => ({ well: false, text, advice });
const count = (n, what) => `${n.toLocaleString("en-GB")} ${what}${n === 1 ? "" : "s"}`;
const total = (counts) => Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);

function named(devices, words = ({ id }) => id) {
  const shown = devices.slice(0, MOST_NAMED).map(words).join(", ");
  return devices.length > MOST_NAMED ? `${shown} and ${devices.length - MOST_NAMED} more` : shown;
}

function sensors(devices) {
  if (!devices.length) return [well("No sensor is worn.")];
  const quiet = devices.filter(({ state }) => state !== "streaming");
  if (!quiet.length) return [well(devices.length === 1 ? "The one sensor that is worn is sending." : `All ${devices.length} worn sensors are sending.`)];
  return [trouble(`${quiet.length} of ${count(devices.length, "worn sensor")} ${quiet.length === 1 ? "is" : "are"} not sending: ${named(quiet)}.`, "What to do stands beside each, below.")];
}

function batteries(devices) {
  const told = devices.filter(({ battery }) => typeof battery === "number");
  const low = told.filter(({ battery }) => battery < LOW_BATTERY);
  if (low.length) return [trouble(`${count(low.length, "sensor")} will not last: ${named(low, ({ id, battery }) => `${id} (${Math.round(battery)} %)`)}.`, "Put charged ones on instead.")];
  if (!told.length) return [];
  const lowest = Math.round(Math.min(...told.map(({ battery }) => battery)));
  return [well(told.length === 1 ? `Its battery is at ${lowest} %.` : `The lowest of ${told.length} batteries is at ${lowest} %.`)];
}

function stored(outbox) {
  if (!outbox) return [];
  const lost = total(outbox.dropped);
  const gone = lost ? [trouble(`${count(lost, "number")} could not be kept: there was no room.`, "The history names each gap.")] : [];
  const late = (outbox.oldest_s ?? 0) > LATE_STORED_S;
  if (!late) return [...gone, well("Every number reaches the store within seconds.")];
  return [...gone, trouble(`Nothing was stored for ${duration(outbox.oldest_s)}: ${count(outbox.depth, "number")} wait on the gateway's disk.`, "They are sent by themselves when broker and historian answer again.")];
}

function machine({ publisher, clock, disk, recorder }) {
  const said = [];
  if (publisher && !publisher.connected) said.push(trouble("The gateway does not reach its broker.", "Look at the network and the broker's machine."));
  if (clock && !clock.synchronised) said.push(trouble("The gateway's clock is not set by a time server.", "Times may be wrong; the order of things is not."));
  if (typeof disk?.free_bytes === "number") {
    const room = `${number(disk.free_bytes / GB, 1)} GB are free on the gateway's disk`;
    said.push(disk.free_bytes < (disk.keep_free ?? 0) ? trouble(`Only ${room}.`, "Make room, or recording and storing stop.") : well(`${room}.`));
  }
  if (recorder?.file && !recorder.recording) said.push(trouble("The recording has stopped.", "Numbers are measured and stored all the same."));
  return said;
}

// Sentences of a status, what is wrong first; each says whether it is well.
export function health(state) {
  if (state.gateway_state !== "online") return [trouble("The gateway is not heard: what stands below is old.", "Look whether it has power and network.")];
  const devices = (state.devices ?? []).filter(({ slot }) => slot);
  const said = [...sensors(devices), ...batteries(devices), ...stored(state.outbox), ...machine(state)];
  return [...said.filter((one) => !one.well), ...said.filter((one) => one.well)];
}
