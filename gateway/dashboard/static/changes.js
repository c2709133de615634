// Each change that a bed's card offers: what is asked, what it means before it is made, and how it is said afterwards.

import { note, stop } from "./ask.js";
import { change, newKey } from "./change.js";
import { ROOT, ofGateway } from "./dom.js";
import { t } from "./texts.js";
import { driverWords, duration, long, placements, protocolWords, sessionWords, sideWords, state } from "./words.js";

const PSEUDONYM = "[a-z0-9][a-z0-9_\\-]{0,31}";
const PROTOCOLS = [
  "free_walk", "rest", "10mwt pace=comfortable", "10mwt pace=fast", "4mwt", "6mwt course_m=30", "2mwt course_m=30", "tug", "5xsts",
  "30scst", "1msts", "balance eyes=open", "balance eyes=closed", "balance eyes=open stance=tandem", "stairs", "treadmill",
  "exoskeleton",
];
const MARKS = ["start", "stop", "lap"]; // those by which a test goes; any other words are for people
const TEXT = 200; // characters, as the gateway takes them

const CHOOSE = { value: "", text: t("common.choose") };
const place = (placement) => long(placement).toLowerCase();
const when = (condition, words) => (condition ? [words()].flat() : []);

// `card` tells the bed as it is now, each time that it is asked: {bed, others, devices, now}.
// What is asked of one person is not asked of another who has come meanwhile.
function stillThere(card, subject) {
  const there = card().bed?.subject?.id;
  if (there === subject) return [];
  return [stop(there ? t("changes.this_bed_now_not", { there, subject }) : t("common.not_this_bed_any_more", { subject }))];
}

function sameSession(card, session) {
  return card().bed?.session?.id === session.id ? [] : [stop(t("changes.this_session_over_somebody_has"))];
}

const named = ({ session }) => t("changes.the_session", { protocol: protocolWords(session.protocol) });

export function admit(card) {
  const { bed } = card();
  return {
    title: t("changes.admit_to", { label: bed.label }), action: t("changes.admit"),
    fields: [
      { name: "subject", label: t("common.pseudonym"), required: true, pattern: PSEUDONYM, maxlength: 32, autocapitalize: "none", wide: true,
        hint: t("changes.such_as_p_0151_small") },
      { name: "height_m", label: t("changes.height_m"), type: "number", min: 0.5, max: 2.6, step: 0.01, inputmode: "decimal" },
      { name: "leg_length_m", label: t("changes.leg_length_m"), type: "number", min: 0.2, max: 1.5, step: 0.01, inputmode: "decimal" },
      { name: "mass_kg", label: t("changes.mass_kg"), type: "number", min: 2, max: 400, step: 0.1, inputmode: "decimal" },
      { name: "affected_side", label: t("changes.affected_side"), value: "none",
        options: ["none", "left", "right", "both"].map((value) => ({ value, text: value === "none" ? t("common.none") : sideWords(value) })) },
      { name: "aids", label: t("changes.walking_aids"), maxlength: TEXT, wide: true, hint: t("common.no_names") },
    ],
    means: ({ subject, height_m: height }) => {
      const there = card().bed?.subject?.id;
      return [
        ...when(there, () => stop(t("changes.discharge_or_move_them_first", { there, label: bed.label }))),
        ...when(!height, () => note(t("changes.without_height_sensor_lower_back"))),
        ...when(subject, () => note(t("changes.from_now_what_measured_s", { label: bed.label, subject }))),
      ];
    },
    send: (values, key) => change("admit", { ...values, bed: bed.id }, key),
    said: ({ subject }) => t("changes.was_admitted_to", { subject, label: bed.label }),
  };
}

export function discharge(card) {
  const { id } = card().bed.subject;
  return {
    title: t("changes.discharge", { id }), action: t("changes.discharge", { id }),
    means: () => {
      const { bed } = card();
      const gone = stillThere(card, id);
      if (gone.length) return gone;
      return [
        ...when(bed.session, () => note(t("changes.is_it_ends_now", { named: named(bed), state: sessionWords(bed.session.state) }))),
        note(bed.worn.length
          ? t("changes.sensors_will_be_free_for", { n: bed.worn.length, which: bed.worn.map((one) => `${one.id} (${place(one.placement)})`).join(", ") })
          : t("common.no_sensor_is_worn")),
        note(t("changes.what_was_measured_stays_history")),
      ];
    },
    send: (_values, key) => change("discharge", { subject: id }, key),
    said: () => t("changes.was_discharged_nobody_this_bed", { id }),
  };
}

export function move(card) {
  const { bed, others } = card();
  const { id } = bed.subject;
  const free = others.filter(({ taken }) => !taken);
  return {
    title: t("changes.move", { id }), action: t("changes.move_2"),
    fields: [{ name: "bed", label: t("changes.to"), required: true, wide: true,
      options: others.map((other) => ({ value: other.id, text: other.taken ? t("changes.taken", { label: other.label }) : other.label, disabled: other.taken })),
      value: free[0]?.id }],
    means: (values) => {
      const now = card();
      const to = now.others.find((other) => other.id === values.bed);
      return [
        ...stillThere(card, id),
        ...when(!free.length, () => stop(t("changes.every_other_bed_taken"))),
        ...when(to?.taken, () => stop(t("changes.somebody_discharge_or_move_them", { label: to?.label }))),
        ...when(now.bed?.worn.length, () => note(t("changes.sensors_any_session_go_with", { n: now.bed?.worn.length, id }))),
      ];
    },
    send: (values, key) => change("move", { ...values, subject: id, was: bed.id }, key),
    said: (values) => t("changes.was_moved_to", { id, label: others.find((other) => other.id === values.bed)?.label }),
  };
}

const bedLink = (id, label) => ({ href: new URL(ofGateway(`bed/${encodeURIComponent(id)}`), ROOT).href, text: t("changes.open", { label }) });

function inTheWay(bed, device, placement) {
  return bed.worn.filter((one) => one.placement === placement && one.id !== device.id).map((one) =>
    (one.driver === device.driver ? stop(t("changes.already_take_off_first", { id: one.id, placement: place(placement) }))
      : note(t("changes.is_on_the_too", { id: one.id, placement: place(placement) }))));
}

export function assign(card) {
  const { bed, devices } = card();
  const { id } = bed.subject;
  const sorted = [...devices].sort((a, b) => Number(a.bed !== null) - Number(b.bed !== null));
  const words = (one) => (one.bed === null ? `${one.id} (${driverWords(one.driver)})` : t("changes.worn_in", { id: one.id, label: one.label, placement: place(one.placement) }));
  return {
    title: t("changes.put_a_sensor_on", { id }), action: t("changes.put_on"),
    fields: [
      { name: "device", label: t("common.sensor"), required: true, wide: true, options: [CHOOSE, ...sorted.map((one) => ({ value: one.id, text: words(one) }))] },
      { name: "placement", label: t("changes.where_it_is_worn"), required: true, wide: true, hint: t("changes.left_patients_left"),
        options: [CHOOSE, ...placements.map((value) => ({ value, text: long(value) }))] },
    ],
    means: (values) => {
      const now = card();
      const device = now.devices.find((one) => one.id === values.device);
      const gone = stillThere(card, id);
      if (gone.length) return gone;
      if (!device) return when(now.devices.every((one) => one.bed !== null), () => stop(t("changes.every_sensor_ward_worn_take")));
      const worn = device.bed === now.bed.id ? stop(t("changes.already", { id: device.id, placement: place(device.placement), id2: id }))
        : stop(t("changes.worn_take_off_there_first", { id: device.id, label: device.label, placement: place(device.placement) }),
          bedLink(device.bed, device.label));
      return [
        ...when(device.bed !== null, () => worn),
        ...inTheWay(now.bed, device, values.placement),
        ...when(now.bed.session?.state === "running", () => note(t("changes.running_from_now_this_sensor", { named: named(now.bed) }))),
      ];
    },
    send: (values, key) => change("assign", { ...values, bed: bed.id, subject: id }, key),
    said: (values) => t("changes.is_on_the_of", { device: values.device, place: place(values.placement), id }),
  };
}

function stillWorn(card, device) {
  return card().bed?.worn.some((one) => one.id === device) ? [] : [stop(t("changes.not_worn_here_any_more", { device }))];
}

export function takeOff(card, device) {
  const { id } = card().bed.subject;
  return {
    title: t("changes.take_off_the_of", { id: device.id, placement: place(device.placement), id2: id }), action: t("changes.take_off"),
    means: () => {
      const { bed } = card();
      const gone = [...stillThere(card, id), ...stillWorn(card, device.id)];
      if (gone.length) return gone;
      const running = bed.session?.state === "running";
      return [
        ...when(running && bed.worn.length > 1, () => note(t("changes.running_goes_without_this_sensor", { named: named(bed) }))),
        ...when(running && bed.worn.length === 1, () => note(t("changes.running_this_its_last_sensor", { named: named(bed) }))),
        note(t("changes.disconnected_what_still_sends_nobodys")),
      ];
    },
    send: (_values, key) => change("take-off", { device: device.id, subject: id }, key),
    said: () => t("changes.off_free_for_others", { id: device.id }),
  };
}

// To another place on the same person: off, and on again.
export function replace(card, device) {
  const { bed } = card();
  const { id } = bed.subject;
  return {
    title: t("changes.move_another_place", { id: device.id, id2: id }), action: t("changes.move_2"),
    fields: [{ name: "placement", label: t("changes.where_worn_now"), required: true, wide: true, hint: t("changes.left_patients_left"),
      options: [CHOOSE, ...placements.filter((value) => value !== device.placement).map((value) => ({ value, text: long(value) }))] }],
    means: (values) => {
      const now = card();
      const gone = [...stillThere(card, id), ...stillWorn(card, device.id)];
      if (gone.length) return gone;
      return [
        ...inTheWay(now.bed, device, values.placement),
        note(t("changes.taken_off_put_again_its", { placement: place(device.placement) })),
        ...when(now.bed.session?.state === "running", () => note(t("changes.running_what_this_sensor_gave", { named: named(now.bed), placement: place(device.placement) }))),
      ];
    },
    send: async (values, key) => {
      const off = await change("take-off", { device: device.id, subject: id }, key);
      if (off.error) return off;
      const on = await change("assign", { ...values, device: device.id, bed: bed.id, subject: id }, newKey());
      return on.error ? { ...on, partly: true, error: t("changes.was_taken_off_not_put", { id: device.id, error: on.error }) } : on;
    },
    said: (values) => t("changes.is_on_the_of_2", { id: device.id, place: place(values.placement), id2: id }),
  };
}

export function start(card) {
  const { id } = card().bed.subject;
  return {
    title: t("changes.start_a_session_of", { id }), action: t("common.start"),
    fields: [
      { name: "protocol", label: t("common.protocol"), required: true, maxlength: TEXT, suggestions: PROTOCOLS, hint: "10mwt, 6mwt, tug, treadmill, rest …" },
      { name: "notes", label: t("changes.notes"), maxlength: TEXT, hint: t("common.no_names") },
    ],
    means: () => {
      const { bed } = card();
      const gone = stillThere(card, id);
      if (gone.length) return gone;
      const silent = bed.worn.filter((one) => one.state !== "streaming");
      return [
        ...when(bed.session, () => stop(t("changes.is_end_it_first", { named: named(bed), state: sessionWords(bed.session?.state) }))),
        ...when(!bed.worn.length, () => stop(t("common.wears_no_sensor_put_one", { id }))),
        ...silent.map((one) => note(t("changes.what_should_measure_missing_as", { id: one.id, placement: place(one.placement), state: state(one.state)[1] }))),
      ];
    },
    send: (values, key) => change("session-start", { ...values, subject: id }, key),
    said: ({ protocol }) => t("changes.session_has_begun", { protocol: protocolWords(protocol), id }),
  };
}

function ofSession(card, name, { title, action, fields, words, said }) {
  const { session, subject } = card().bed;
  return {
    title: title(subject.id, protocolWords(session.protocol)), action, fields,
    means: () => {
      const over = sameSession(card, session);
      return over.length ? over : words(card()).map(note);
    },
    send: (values, key) => change(name, { ...values, session: session.id }, key),
    said: () => said(protocolWords(session.protocol)),
  };
}

export const pause = (card) => ofSession(card, "session-pause", {
  title: (id, protocol) => t("changes.pause_of", { protocol, id }), action: t("common.pause_2"),
  words: () => [t("changes.what_measured_meanwhile_not_part")], said: (protocol) => t("changes.is_paused", { protocol }),
});

export const resume = (card) => ofSession(card, "session-resume", {
  title: (id, protocol) => t("changes.go_on_with_of", { protocol, id }), action: t("common.go_on"),
  words: () => [t("changes.what_measured_from_now_part")], said: (protocol) => t("changes.goes_on", { protocol }),
});

export const mark = (card) => ofSession(card, "session-mark", {
  title: (id, protocol) => t("changes.mark_of", { protocol, id }), action: t("changes.mark"),
  fields: [{ name: "text", label: t("changes.what_happened"), required: true, maxlength: TEXT, wide: true, suggestions: MARKS, hint: t("changes.marked_at_time_at_which") }],
  words: () => [], said: (protocol) => t("changes.was_marked", { protocol }),
});

export const end = (card) => ofSession(card, "session-end", {
  title: (id, protocol) => t("changes.end_of", { protocol, id }), action: t("changes.end_the_session"),
  words: ({ bed, now }) => [
    t("changes.began_ago_cannot_go_once", { duration: duration(Math.max(0, now - bed.session.started_us / 1e6)) }),
    ...when(bed.worn.length, () => t("changes.sensors_stay_what_they_measure", { n: bed.worn.length })),
  ],
  said: (protocol) => t("changes.has_ended", { protocol }),
});

// --- what is mended of a session that is over ---

const WHY = { name: "why", label: t("changes.what_went_wrong"), maxlength: TEXT, wide: true, hint: t("common.no_names") };

// As an input of local time has it, to the second.
function local(us) {
  const at = new Date(us / 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

// Compared as times: an input drops the seconds of a whole minute, which nobody has touched.
const ms = (text) => new Date(text).getTime();
const changed = (value, us) => (value && ms(value) !== ms(local(us)) ? ms(value) * 1000 : null);

function corrected(session, { subject, start: begun, end: over, why }) {
  const found = { start_us: changed(begun, session.started_us), end_us: changed(over, session.ended_us), why };
  if (subject && subject !== session.subject) found.subject = subject;
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null && value !== undefined));
}

export function correct(session) {
  const time = { type: "datetime-local", step: 1, required: true };
  return {
    title: t("changes.correct_of", { protocol: protocolWords(session.protocol), subject: session.subject }), action: t("changes.correct"),
    fields: [
      { name: "subject", label: t("changes.whose_it_was"), required: true, pattern: PSEUDONYM, maxlength: 32, autocapitalize: "none", wide: true, value: session.subject },
      { ...time, name: "start", label: t("common.begun"), value: local(session.started_us) },
      { ...time, name: "end", label: t("changes.ended"), value: local(session.ended_us) },
      WHY,
    ],
    means: (values) => {
      const { subject, start_us: begun, end_us: over } = corrected(session, values);
      return [
        ...when(!subject && !begun && !over, () => stop(t("changes.nothing_is_different_yet"))),
        ...when(subject, () => note(t("changes.all_that_was_measured_becomes", { subject, subject2: session.subject }))),
        ...when(begun || over, () => note(t("changes.what_was_measured_outside_these"))),
        note(t("changes.what_said_before_stays_audit")),
      ];
    },
    send: (values, key) => change("session-correct", { ...corrected(session, values), session: session.id, was: session.subject }, key),
    said: () => t("changes.was_corrected", { protocol: protocolWords(session.protocol) }),
  };
}

export function discard(session) {
  const back = session.discarded;
  return {
    title: back ? t("changes.take_back_of", { protocol: protocolWords(session.protocol), subject: session.subject }) : t("changes.discard_of", { protocol: protocolWords(session.protocol), subject: session.subject }), action: back ? t("changes.take_back") : t("changes.discard"),
    fields: [WHY],
    means: () => [note(back ? t("changes.used_again_as_before") : t("changes.not_be_used_left_out"))],
    send: (values, key) => change("session-discard", { ...values, session: session.id, ...(back ? { take_back: true } : {}) }, key),
    said: () => (back ? t("changes.is_used_again", { protocol: protocolWords(session.protocol) }) : t("changes.was_discarded", { protocol: protocolWords(session.protocol) })),
  };
}
