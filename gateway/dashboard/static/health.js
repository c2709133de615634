// How devices and gateway are, as a person says it. Only what the status tells is said; what it does not is left out.

import { t } from "./texts.js";
import { LOW_BATTERY, duration, number, whole } from "./words.js";

const LATE_STORED_S = 60; // numbers reach the store within seconds: this long means that something between is down
const MOST_NAMED = 4; // sensors in one sentence
const GB = 1e9;

const well = (text) => ({ well: true, text });
const trouble = (text, advice = "") => ({ well: false, text, advice });
const total = (counts) => Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);

function named(devices, words = ({ id }) => id) {
  const shown = devices.slice(0, MOST_NAMED).map(words).join(", ");
  return devices.length > MOST_NAMED ? t("health.and_more", { shown, left: devices.length - MOST_NAMED }) : shown;
}

function sensors(devices) {
  if (!devices.length) return [well(t("common.no_sensor_is_worn"))];
  const quiet = devices.filter(({ state }) => state !== "streaming");
  if (!quiet.length) return [well(t("health.all_worn_sensors_are_sending", { n: devices.length }))];
  const of = t("health.worn_sensors", { n: devices.length });
  return [trouble(t("health.of_are_not_sending", { n: quiet.length, of, which: named(quiet) }), t("health.what_do_stands_beside_each"))];
}

function batteries(devices) {
  const told = devices.filter(({ battery }) => typeof battery === "number");
  const low = told.filter(({ battery }) => battery < LOW_BATTERY);
  if (low.length) return [trouble(t("health.sensors_will_not_last", { n: low.length, which: named(low, ({ id, battery }) => `${id} (${Math.round(battery)} %)`) }), t("health.put_charged_ones_instead"))];
  if (!told.length) return [];
  const lowest = Math.round(Math.min(...told.map(({ battery }) => battery)));
  return [well(t("health.lowest_batteries_at", { n: told.length, lowest }))];
}

function stored(outbox) {
  if (!outbox) return [];
  const lost = total(outbox.dropped);
  const gone = lost ? [trouble(t("health.numbers_could_not_be_kept", { n: lost, count: whole(lost) }), t("health.history_names_each_gap"))] : [];
  const late = (outbox.oldest_s ?? 0) > LATE_STORED_S;
  if (!late) return [...gone, well(t("health.every_number_reaches_store_within"))];
  return [...gone, trouble(t("health.nothing_was_stored_for_numbers", { n: outbox.depth, time: duration(outbox.oldest_s), count: whole(outbox.depth) }), t("health.they_are_sent_by_themselves"))];
}

function machine({ publisher, clock, disk, recorder }) {
  const said = [];
  if (publisher && !publisher.connected) said.push(trouble(t("health.gateway_does_not_reach_its"), t("health.look_at_network_brokers_machine")));
  if (clock && !clock.synchronised) said.push(trouble(t("health.gateways_clock_not_set_by"), t("health.times_may_be_wrong_order")));
  if (typeof disk?.free_bytes === "number") {
    const room = number(disk.free_bytes / GB, 1);
    said.push(disk.free_bytes < (disk.keep_free ?? 0) ? trouble(t("health.only_gb_are_free_gateways", { room }), t("health.make_room_or_recording_storing")) : well(t("health.gb_are_free_gateways_disk", { room })));
  }
  if (recorder?.file && !recorder.recording) said.push(trouble(t("health.the_recording_has_stopped"), t("health.numbers_are_measured_stored_all")));
  return said;
}

// Sentences of a status, what is wrong first; each says whether it is well.
export function health(state) {
  if (state.gateway_state !== "online") return [trouble(t("health.gateway_not_heard_what_stands"), t("health.look_whether_has_power_network"))];
  const devices = (state.devices ?? []).filter(({ slot }) => slot);
  const said = [...sensors(devices), ...batteries(devices), ...stored(state.outbox), ...machine(state)];
  return [...said.filter((one) => !one.well), ...said.filter((one) => one.well)];
}
