// How values, ages and states are said.

import { LOCALE, POINT, REASONS, all, has, t } from "./texts.js";

export const STALE_S = 5; // older than this is no longer "now"
const LIVE_S = 3; // contacts are decided about a second after they were made: up to here it is "now"
export const FORGET_S = 60; // older than this, the old value itself is not shown any more

const PLACEMENTS = {
  left_foot: [t("words.l_foot"), t("words.left_foot")],
  right_foot: [t("words.r_foot"), t("words.right_foot")],
  left_shank: [t("words.l_shank"), t("words.left_shank")],
  right_shank: [t("words.r_shank"), t("words.right_shank")],
  left_thigh: [t("words.l_thigh"), t("words.left_thigh")],
  right_thigh: [t("words.r_thigh"), t("words.right_thigh")],
  lower_back: [t("words.back"), t("words.lower_back")],
  chest: [t("words.chest"), t("words.chest")],
  wrist: [t("words.wrist"), t("words.wrist")],
  left_wrist: [t("words.l_wrist"), t("words.left_wrist")],
  right_wrist: [t("words.r_wrist"), t("words.right_wrist")],
  exoskeleton: [t("words.exo"), t("words.exoskeleton")],
  upper_arm: [t("words.arm"), t("words.upper_arm")],
  finger: [t("words.finger"), t("words.finger")],
  ear_lobe: [t("words.ear"), t("words.ear_lobe")],
  bedside: [t("words.bedside"), t("words.beside_the_bed")],
};

// What is a word of a protocol, or of a kind of device, is said in the language of the page; somebody's own words stay.
const [protocols, protocolFields, drivers] = [all("protocols"), all("protocol_fields"), all("drivers")];
export const driverWords = (driver) => (has(`drivers.${driver}`) ? drivers(driver) : driver.replaceAll("_", " "));
export const protocolWords = (protocol) => {
  const [word, ...fields] = protocol.split(" ");
  return [has(`protocols.${word}`) ? protocols(word) : word.replaceAll("_", " "), ...fields.map(fieldWords)].join(", ");
};

// A field of a protocol: its value is a word of its own, or a number that a sentence holds.
function fieldWords(field) {
  const [name, value = ""] = field.split("=");
  const word = `${name}_${value.replaceAll("-", "_")}`;
  if (has(`protocol_fields.${word}`)) return protocolFields(word);
  return has(`protocol_fields.${name}`) ? protocolFields(name, { value }) : field;
}
export const placements = Object.keys(PLACEMENTS);

const SIGNALS = {
  acc: t("words.acceleration"),
  gyr: t("words.turning_rate"),
  mag: t("words.magnetic_field"),
  facc: t("words.free_acceleration"),
};

const UNITS = { "deg/s": "°/s", deg: "°", "m/s2": "m/s²", "/min": t("words.per_min"), "rad/s": "rad/s", "N.m": "Nm", 1: "" };

const GROUPS = {
  events: t("words.contacts"), support: t("words.phases_of_the_stride"), space: t("words.length_of_strides"), oxygen: t("words.oxygen"), vitals: t("words.vital_signs"),
  tests: t("words.timed_tests"), posture: t("words.posture_and_activity"), arms: t("words.arms_and_exercises"), exertion: t("words.heart_in_exertion"),
};

export const group = (name) => GROUPS[name] ?? name.charAt(0).toUpperCase() + name.slice(1);
export const short = (placement) => PLACEMENTS[placement]?.[0] ?? placement ?? "";
export const long = (placement) => PLACEMENTS[placement]?.[1] ?? placement ?? "";
export const unit = (ucum) => UNITS[ucum] ?? ucum ?? "";

const SIDE_WORDS = { left: t("common.left_small"), right: t("words.right"), both: t("words.both") };
const SESSIONS = { running: t("common.running"), paused: t("words.paused"), ended: t("words.ended") };
const QUALITIES = { ok: t("words.ok"), degraded: t("words.degraded"), invalid: t("words.invalid") };
const ROLES = { viewer: t("words.viewer"), clinician: t("words.clinician"), technician: t("words.technician"), researcher: t("words.researcher"), admin: t("words.admin") };
const MONTHS = t("words.months").split(" ");

export const sideWords = (name) => SIDE_WORDS[name] ?? name ?? "";
export const sessionWords = (name) => SESSIONS[name] ?? name ?? "";
export const qualityWords = (name) => QUALITIES[name] ?? name ?? "";
export const roleWords = (name) => ROLES[name] ?? name ?? "";

const NUMBERS = /\d+(?:\.\d+)?/g;

function oneReason(reason) {
  const numbers = reason.match(NUMBERS) ?? [];
  const said = REASONS[reason.replace(NUMBERS, "{n}")];
  if (said !== undefined) return said.replaceAll("{n}", () => numbers.shift().replace(".", POINT));
  const [kind, ...more] = reason.split(": ");
  return more.length && REASONS[kind] ? `${REASONS[kind]}: ${more.join(": ")}` : reason;
}

// Why a number is doubtful, as the analysis says it on the wire: in English, where the language has no words of its own.
export const reasonWords = (reason) => (reason ?? "").split("; ").map(oneReason).join("; ");

// A count of things, with the marks of its thousands.
export const whole = (n) => n.toLocaleString(LOCALE);

export function day(us, withYear = true) {
  const at = new Date(us / 1000);
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${withYear ? ` ${at.getFullYear()}` : ""}`;
}

// A day or a week of the server's: it is one of UTC, wherever the browser is.
export function utcDay(us) {
  const at = new Date(us / 1000);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
}

export function side(placement) {
  return ["left", "right"].find((name) => placement?.startsWith(name)) ?? "";
}

export function signal(channel) {
  const [group, axis] = channel.split("_");
  return axis && SIGNALS[group] ? `${SIGNALS[group]} ${axis}` : channel.replaceAll("_", " ");
}

export function number(value, digits) {
  return typeof value !== "number" ? "–" : value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−").replace(".", POINT);
}

const JOINT = "\u00a0"; // a number and its unit stay on one line

export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)}${JOINT}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${JOINT}min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}${JOINT}h`;
  return t("common.days", { n: Math.floor(seconds / 86400) });
}

export function age(seconds) {
  return seconds < LIVE_S ? t("common.now_small") : t("words.ago", { seconds: duration(seconds) });
}

// One value as a page shows it: what number, whether it is old or doubtful, and what is said below it.
export function reading(metric, shown, now) {
  const blank = { text: "–", old: false, doubt: false, remark: t("words.no_data_yet"), unit: metric?.unit_text ?? "" };
  if (!metric || !shown) return blank;
  const seconds = Math.max(0, now - shown.end_us / 1e6);
  const text = number(shown.value, metric.digits);
  if (seconds > STALE_S) {
    return { ...blank, text: seconds > FORGET_S ? "–" : text, old: true, remark: t("words.no_data_for", { seconds: duration(seconds) }) };
  }
  if (shown.value === null) return { ...blank, doubt: true, remark: reasonWords(shown.reason) || t("words.no_value") };
  const why = shown.reason ? `: ${reasonWords(shown.reason)}` : "";
  if (shown.quality !== "ok") return { ...blank, text, doubt: true, remark: `${qualityWords(shown.quality)}${why}` };
  return { ...blank, text, remark: age(seconds) };
}

export const ACTIVITY = {
  walking: ["walking", "▶", t("words.walking")],
  ["not walking"]: ["still", "■", t("words.not_walking")],
  unworn: ["none", "◌", t("words.not_worn")],
  lying: ["still", "▬", t("words.lying")],
  sitting: ["still", "◧", t("words.sitting")],
  standing: ["still", "▮", t("words.standing")],
  ["on stairs"]: ["walking", "▟", t("words.on_stairs")],
  "": ["none", "", ""],
};

const STATES = {
  streaming: ["●", t("words.streaming")],
  searching: ["○", t("words.searching")],
  connecting: ["○", t("words.connecting")],
  starting: ["○", t("words.starting")],
  waiting: ["○", t("words.waiting")],
  silent: ["▲", t("common.silent")],
  failed: ["▲", t("words.failed")],
  stopped: ["■", t("common.stopped")],
};

export const state = (name) => STATES[name] ?? ["○", name ?? t("words.unknown")];
export const LOW_BATTERY = 20; // per cent

// A time of day, with its day where that is not the one of another time: mostly not today.
export function when(seconds, today, withSeconds = true) {
  const [at, other] = [day(seconds * 1e6), day(today * 1e6)];
  return `${at === other ? "" : `${day(seconds * 1e6, false)}, `}${clock(seconds, withSeconds)}`;
}

export function clock(seconds, withSeconds = true) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (withSeconds) options.second = "2-digit";
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", options); // the hours of a day are told alike in every language here
}
