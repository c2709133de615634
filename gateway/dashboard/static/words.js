// How values, ages and states are said.

export const STALE_S = 5; // older than this is no longer "now"
const LIVE_S = 3; // contacts are decided about a second after they were made: up to here it is "now"
const FORGET_S = 60; // older than this, the old value itself is not shown any more

const PLACEMENTS = {
  left_foot: ["L foot", "Left foot"],
  right_foot: ["R foot", "Right foot"],
  left_shank: ["L shank", "Left shank"],
  right_shank: ["R shank", "Right shank"],
  left_thigh: ["L thigh", "Left thigh"],
  right_thigh: ["R thigh", "Right thigh"],
  lower_back: ["Back", "Lower back"],
  chest: ["Chest", "Chest"],
  wrist: ["Wrist", "Wrist"],
  exoskeleton: ["Exo", "Exoskeleton"],
  upper_arm: ["Arm", "Upper arm"],
  finger: ["Finger", "Finger"],
  ear_lobe: ["Ear", "Ear lobe"],
  bedside: ["Bedside", "Beside the bed"],
};

export const placements = Object.keys(PLACEMENTS);

const SIGNALS = {
  acc: "Acceleration",
  gyr: "Turning rate",
  mag: "Magnetic field",
  facc: "Free acceleration",
};

const UNITS = { "deg/s": "°/s", deg: "°", "m/s2": "m/s²", "/min": "per min", "rad/s": "rad/s", "N.m": "Nm", 1: "" };

const GROUPS = {
  events: "Contacts", support: "Phases of the stride", space: "Length of strides", oxygen: "Oxygen", vitals: "Vital signs",
  tests: "Timed tests", posture: "Posture and activity", arms: "Arms and exercises", exertion: "Heart in exertion",
};

export const group = (name) => GROUPS[name] ?? name.charAt(0).toUpperCase() + name.slice(1);
export const short = (placement) => PLACEMENTS[placement]?.[0] ?? placement ?? "";
export const long = (placement) => PLACEMENTS[placement]?.[1] ?? placement ?? "";
export const unit = (ucum) => UNITS[ucum] ?? ucum ?? "";

export function side(placement) {
  return ["left", "right"].find((name) => placement?.startsWith(name)) ?? "";
}

export function signal(channel) {
  const [group, axis] = channel.split("_");
  return axis && SIGNALS[group] ? `${SIGNALS[group]} ${axis}` : channel.replaceAll("_", " ");
}

export function number(value, digits) {
  return typeof value !== "number" ? "–" : value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

export function age(seconds) {
  return seconds < LIVE_S ? "now" : `${duration(seconds)} ago`;
}

// One value as a page shows it: what number, whether it is old or doubtful, and what is said below it.
export function reading(metric, shown, now) {
  const blank = { text: "–", old: false, doubt: false, remark: "no data yet", unit: metric?.unit_text ?? "" };
  if (!metric || !shown) return blank;
  const seconds = Math.max(0, now - shown.end_us / 1e6);
  const text = number(shown.value, metric.digits);
  if (seconds > STALE_S) {
    return { ...blank, text: seconds > FORGET_S ? "–" : text, old: true, remark: `no data for ${duration(seconds)}` };
  }
  if (shown.value === null) return { ...blank, doubt: true, remark: shown.reason || "no value" };
  const why = shown.reason ? `: ${shown.reason}` : "";
  if (shown.quality !== "ok") return { ...blank, text, doubt: true, remark: `${shown.quality}${why}` };
  return { ...blank, text, remark: age(seconds) };
}

export const ACTIVITY = {
  walking: ["walking", "▶", "Walking"],
  "not walking": ["still", "■", "Not walking"],
  lying: ["still", "▬", "Lying"],
  sitting: ["still", "◧", "Sitting"],
  standing: ["still", "▮", "Standing"],
  "on stairs": ["walking", "▟", "On stairs"],
  "": ["none", "", ""],
};

const STATES = {
  streaming: ["●", "streaming"],
  searching: ["○", "searching"],
  connecting: ["○", "connecting"],
  starting: ["○", "starting"],
  waiting: ["○", "waiting"],
  silent: ["▲", "silent"],
  failed: ["▲", "failed"],
  stopped: ["■", "stopped"],
};

export const state = (name) => STATES[name] ?? ["○", name ?? "unknown"];
export const LOW_BATTERY = 20; // per cent

export function clock(seconds, withSeconds = true) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (withSeconds) options.second = "2-digit";
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", options);
}
