// What is chosen for somebody: which movement notices are raised of them, and what they are shown of their own movement.

import { change } from "./change.js";
import { long, signal } from "./words.js";

const note = (text) => ({ text, stops: false });
const stop = (text) => ({ text, stops: true });

const KINDS = { fall_event: "Possible falls", ceiling_exceeded: "Heart rate above the ceiling that was set" };
const METRICS = ["cadence", "walking_speed", "symmetry_index", "step_time", "stride_length", "heart_rate", "spo2"];
const SIDE_OF = { heart_rate: "none", spo2: "none" };

export function titleOf({ kind, of }, catalogue) {
  if (kind === "lean") return `Lean of the ${long(of).toLowerCase()}`;
  if (kind === "turning") return `How fast the ${long(of).toLowerCase()} turns`;
  if (kind === "joint") return signal(of).replace(/^./, (first) => first.toUpperCase());
  return catalogue[of]?.title ?? of;
}

// What may be shown of who is in the bed, by what they wear.
function choices({ devices }, catalogue) {
  const found = [];
  for (const device of devices) {
    const channels = Object.values(device.streams ?? {}).filter((stream) => stream.rate_hz).flatMap((stream) => stream.channels);
    if (channels.includes("gyr_x") && channels.includes("acc_x")) found.push({ kind: "lean", of: device.placement }, { kind: "turning", of: device.placement });
    for (const of of channels.filter((channel) => /_(hip|knee|ankle|elbow)_angle$/.test(channel) && !channel.includes("desired"))) found.push({ kind: "joint", of });
  }
  for (const of of METRICS.filter((id) => id in catalogue)) found.push({ kind: "metric", of, side: SIDE_OF[of] ?? "both" });
  return found.map((one) => ({ value: JSON.stringify(one), text: titleOf(one, catalogue) }));
}

export function chooseFeedback(told, catalogue) {
  const { subject } = told();
  const chosen = told().chosen ?? {};
  const options = choices(told(), catalogue);
  const same = options.find(({ value }) => { const one = JSON.parse(value); return one.kind === chosen.kind && one.of === chosen.of; });
  return {
    title: `What ${subject} sees`, action: "Show it",
    fields: [
      { name: "what", label: "What", required: true, wide: true, value: same?.value, options: [...options, { value: "none", text: "Nothing" }] },
      { name: "low", label: "Band from", type: "number", step: "any", inputmode: "decimal", value: chosen.low ?? "" },
      { name: "high", label: "to", type: "number", step: "any", inputmode: "decimal", value: chosen.high ?? "" },
      { name: "shape", label: "As", value: chosen.shape ?? "bar", options: [{ value: "bar", text: "one bar" }, { value: "number", text: "one number" }] },
    ],
    means: ({ what, low, high }) => {
      if (told().subject !== subject) return [stop(`${subject} is not in this bed any more.`)];
      if (what === "none") return [note("The page shows nothing then.")];
      if (low === undefined || high === undefined) return [stop("A band has two ends.")];
      return low < high ? [note("You choose the band: the page does not know what is good for anybody.")] : [stop("The band has to end above where it begins.")];
    },
    send: ({ what, ...values }, key) =>
      change("feedback-choose", what === "none" ? { subject, kind: "none" } : { subject, ...JSON.parse(what), ...values }, key),
    said: ({ what }) => (what === "none" ? `${subject} is shown nothing.` : `${subject} is shown ${titleOf(JSON.parse(what), catalogue).toLowerCase()}.`),
  };
}

// `card` as in changes.js.
export function chooseNotices(card) {
  const { id, notices = [] } = card().bed.subject;
  return {
    title: `Movement notices of ${id}`, action: "Choose",
    fields: Object.entries(KINDS).map(([name, label]) => ({ name, label, wide: true, value: notices.includes(name) ? "on" : "off",
      options: [{ value: "off", text: "off" }, { value: "on", text: "on" }] })),
    means: () => (card().bed?.subject?.id === id
      ? [note("They are hints from a sensor: some are wrong, and others are missed. They replace nobody who looks. At most a few an hour are raised.")]
      : [stop(`${id} is not in this bed any more.`)]),
    send: (values, key) => change("notices-choose", { subject: id, kinds: Object.keys(KINDS).filter((name) => values[name] === "on") }, key),
    said: () => `Movement notices of ${id} were chosen.`,
  };
}
