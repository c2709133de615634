// What is chosen for somebody: which movement notices are raised of them, and what they are shown of their own movement.

import { note, stop } from "./ask.js";
import { change } from "./change.js";
import { t } from "./texts.js";
import { long, signal } from "./words.js";

const KINDS = { fall_event: t("preferences.possible_falls"), ceiling_exceeded: t("preferences.heart_rate_above_ceiling_that") };
const METRICS = ["cadence", "walking_speed", "symmetry_index", "step_time", "stride_length", "heart_rate", "spo2"];
const SIDE_OF = { heart_rate: "none", spo2: "none" };

export function titleOf({ kind, of }, catalogue) {
  if (kind === "lean") return t("preferences.lean_of_the", { place: long(of).toLowerCase() });
  if (kind === "turning") return t("preferences.how_fast_the_turns", { place: long(of).toLowerCase() });
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
    title: t("preferences.what_sees", { subject }), action: t("preferences.show_it"),
    fields: [
      { name: "what", label: t("common.what"), required: true, wide: true, value: same?.value, options: [...options, { value: "none", text: t("preferences.nothing") }] },
      { name: "low", label: t("preferences.band_from"), type: "number", step: "any", inputmode: "decimal", value: chosen.low ?? "" },
      { name: "high", label: t("preferences.to"), type: "number", step: "any", inputmode: "decimal", value: chosen.high ?? "" },
      { name: "shape", label: t("preferences.as"), value: chosen.shape ?? "bar", options: [{ value: "bar", text: t("preferences.one_bar") }, { value: "number", text: t("preferences.one_number") }] },
    ],
    means: ({ what, low, high }) => {
      if (told().subject !== subject) return [stop(t("common.not_this_bed_any_more", { subject }))];
      if (what === "none") return [note(t("preferences.page_shows_nothing_then"))];
      if (low === undefined || high === undefined) return [stop(t("preferences.band_has_two_ends"))];
      return low < high ? [note(t("preferences.you_choose_band_page_does"))] : [stop(t("preferences.band_has_end_above_where"))];
    },
    send: ({ what, ...values }, key) =>
      change("feedback-choose", what === "none" ? { subject, kind: "none" } : { subject, ...JSON.parse(what), ...values }, key),
    said: ({ what }) => (what === "none" ? t("preferences.is_shown_nothing", { subject }) : t("preferences.is_shown", { subject, what: titleOf(JSON.parse(what), catalogue).toLowerCase() })),
  };
}

// `card` as in changes.js.
export function chooseNotices(card) {
  const { id, notices = [] } = card().bed.subject;
  return {
    title: t("preferences.movement_notices_of", { id }), action: t("preferences.choose"),
    fields: Object.entries(KINDS).map(([name, label]) => ({ name, label, wide: true, value: notices.includes(name) ? "on" : "off",
      options: [{ value: "off", text: t("preferences.off") }, { value: "on", text: t("preferences.on") }] })),
    means: () => (card().bed?.subject?.id === id
      ? [note(t("preferences.they_are_hints_from_sensor"))]
      : [stop(t("common.not_this_bed_any_more_2", { id }))]),
    send: (values, key) => change("notices-choose", { subject: id, kinds: Object.keys(KINDS).filter((name) => values[name] === "on"), was: notices }, key),
    said: () => t("preferences.movement_notices_were_chosen", { id }),
  };
}
