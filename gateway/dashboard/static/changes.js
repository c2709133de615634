// Each change that a bed's card offers: what is asked, what it means before it is made, and how it is said afterwards.

import { change, newKey } from "./change.js";
import { ROOT, ofGateway } from "./dom.js";
import { duration, long, placements, state } from "./words.js";

const PSEUDONYM = "[a-z0-9][a-z0-9_\\-]{0,31}";
const PROTOCOLS = [
  "free_walk", "rest", "10mwt pace=comfortable", "10mwt pace=fast", "4mwt", "6mwt course_m=30", "2mwt course_m=30", "tug", "5xsts",
  "30scst", "1msts", "balance eyes=open", "balance eyes=closed", "balance eyes=open stance=tandem", "stairs", "treadmill",
  "exoskeleton",
];
const MARKS = ["start", "stop", "lap"]; // those by which a test goes; any other words are for people
const TEXT = 200; // characters, as the gateway takes them

export const protocolWords = (protocol) => protocol.replaceAll("_", " ");
export const driverWords = (driver) => driver.replaceAll("_", " ");
const CHOOSE = { value: "", text: "Choose …" };
const place = (placement) => long(placement).toLowerCase();
const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const stop = (text, link) => ({ text, stops: true, link });
const note = (text) => ({ text, stops: false });
const when = (condition, words) => (condition ? [words()].flat() : []);

// `card` tells the bed as it is now, each time that it is asked: {bed, others, devices, now}.
// What is asked of one person is not asked of another who has come meanwhile.
function stillThere(card, subject) {
  const there = card().bed?.subject?.id;
  if (there === subject) return [];
  return [stop(there ? `${there} is in this bed now, and not ${subject}.` : `${subject} is not in this bed any more.`)];
}

function sameSession(card, session) {
  return card().bed?.session?.id === session.id ? [] : [stop("This session is over: somebody has ended it meanwhile.")];
}

const named = ({ session }) => `The session “${protocolWords(session.protocol)}”`;

export function admit(card) {
  const { bed } = card();
  return {
    title: `Admit to ${bed.label}`, action: "Admit",
    fields: [
      { name: "subject", label: "Pseudonym", required: true, pattern: PSEUDONYM, maxlength: 32, autocapitalize: "none", wide: true,
        hint: "Such as p-0151: small letters, digits, - and _. Never a name or a hospital number." },
      { name: "height_m", label: "Height, m", type: "number", min: 0.5, max: 2.6, step: 0.01, inputmode: "decimal" },
      { name: "leg_length_m", label: "Leg length, m", type: "number", min: 0.2, max: 1.5, step: 0.01, inputmode: "decimal" },
      { name: "mass_kg", label: "Mass, kg", type: "number", min: 2, max: 400, step: 0.1, inputmode: "decimal" },
      { name: "affected_side", label: "Affected side", value: "none",
        options: ["none", "left", "right", "both"].map((value) => ({ value, text: value })) },
      { name: "aids", label: "Walking aids", maxlength: TEXT, wide: true, hint: "No names." },
    ],
    means: ({ subject, height_m: height }) => {
      const there = card().bed?.subject?.id;
      return [
        ...when(there, () => stop(`${there} is in ${bed.label}: discharge or move them first.`)),
        ...when(!height, () => note("Without a height a sensor on the lower back gives no step length and no speed.")),
        ...when(subject, () => note(`From now on what is measured in ${bed.label} is ${subject}'s. Nothing of an earlier patient is shown.`)),
      ];
    },
    send: (values, key) => change("admit", { ...values, bed: bed.id }, key),
    said: ({ subject }) => `${subject} was admitted to ${bed.label}.`,
  };
}

export function discharge(card) {
  const { id } = card().bed.subject;
  return {
    title: `Discharge ${id}`, action: `Discharge ${id}`,
    means: () => {
      const { bed } = card();
      const gone = stillThere(card, id);
      if (gone.length) return gone;
      return [
        ...when(bed.session, () => note(`${named(bed)} is ${bed.session.state}: it ends now.`)),
        note(bed.worn.length
          ? `${count(bed.worn.length, "sensor")} will be free for others: ${bed.worn.map((one) => `${one.id} (${place(one.placement)})`).join(", ")}. Take them off the patient.`
          : "No sensor is worn."),
        note("What was measured stays in the history, under the pseudonym."),
      ];
    },
    send: (_values, key) => change("discharge", { subject: id }, key),
    said: () => `${id} was discharged. Nobody is in this bed.`,
  };
}

export function move(card) {
  const { bed, others } = card();
  const { id } = bed.subject;
  const free = others.filter(({ taken }) => !taken);
  return {
    title: `Move ${id}`, action: "Move",
    fields: [{ name: "bed", label: "To", required: true, wide: true,
      options: others.map((other) => ({ value: other.id, text: other.taken ? `${other.label} (taken)` : other.label, disabled: other.taken })),
      value: free[0]?.id }],
    means: (values) => {
      const now = card();
      const to = now.others.find((other) => other.id === values.bed);
      return [
        ...stillThere(card, id),
        ...when(!free.length, () => stop("Every other bed is taken.")),
        ...when(to?.taken, () => stop(`Somebody is in ${to?.label}: discharge or move them first.`)),
        ...when(now.bed?.worn.length, () => note(`${count(now.bed?.worn.length, "sensor")} and any session go with ${id}, and nothing is interrupted.`)),
      ];
    },
    send: (values, key) => change("move", { ...values, subject: id }, key),
    said: (values) => `${id} was moved to ${others.find((other) => other.id === values.bed)?.label}.`,
  };
}

const bedLink = (id, label) => ({ href: new URL(ofGateway(`bed/${encodeURIComponent(id)}`), ROOT).href, text: `Open ${label}` });

function inTheWay(bed, device, placement) {
  return bed.worn.filter((one) => one.placement === placement && one.id !== device.id).map((one) =>
    (one.driver === device.driver ? stop(`${one.id} is on the ${place(placement)} already: take it off first.`)
      : note(`${one.id} is on the ${place(placement)} too.`)));
}

export function assign(card) {
  const { bed, devices } = card();
  const { id } = bed.subject;
  const sorted = [...devices].sort((a, b) => Number(a.bed !== null) - Number(b.bed !== null));
  const words = (one) => (one.bed === null ? `${one.id} (${driverWords(one.driver)})` : `${one.id} – worn in ${one.label}, ${place(one.placement)}`);
  return {
    title: `Put a sensor on ${id}`, action: "Put on",
    fields: [
      { name: "device", label: "Sensor", required: true, wide: true, options: [CHOOSE, ...sorted.map((one) => ({ value: one.id, text: words(one) }))] },
      { name: "placement", label: "Where it is worn", required: true, wide: true, hint: "Left is the patient's left.",
        options: [CHOOSE, ...placements.map((value) => ({ value, text: long(value) }))] },
    ],
    means: (values) => {
      const now = card();
      const device = now.devices.find((one) => one.id === values.device);
      const gone = stillThere(card, id);
      if (gone.length) return gone;
      if (!device) return when(now.devices.every((one) => one.bed !== null), () => stop("Every sensor of the ward is worn: take one off first."));
      const worn = device.bed === now.bed.id ? stop(`${device.id} is on the ${place(device.placement)} of ${id} already.`)
        : stop(`${device.id} is worn in ${device.label}, on the ${place(device.placement)}: take it off there first, or its numbers would be of two people.`,
          bedLink(device.bed, device.label));
      return [
        ...when(device.bed !== null, () => worn),
        ...inTheWay(now.bed, device, values.placement),
        ...when(now.bed.session?.state === "running", () => note(`${named(now.bed)} is running: from now on this sensor is part of it.`)),
      ];
    },
    send: (values, key) => change("assign", { ...values, bed: bed.id, subject: id }, key),
    said: (values) => `${values.device} is on the ${place(values.placement)} of ${id}.`,
  };
}

function stillWorn(card, device) {
  return card().bed?.worn.some((one) => one.id === device) ? [] : [stop(`${device} is not worn here any more.`)];
}

export function takeOff(card, device) {
  const { id } = card().bed.subject;
  return {
    title: `Take ${device.id} off the ${place(device.placement)} of ${id}`, action: "Take off",
    means: () => {
      const { bed } = card();
      const gone = [...stillThere(card, id), ...stillWorn(card, device.id)];
      if (gone.length) return gone;
      const running = bed.session?.state === "running";
      return [
        ...when(running && bed.worn.length > 1, () => note(`${named(bed)} is running: it goes on without this sensor.`)),
        ...when(running && bed.worn.length === 1, () => note(`${named(bed)} is running, and this is its last sensor: nothing is measured any more.`)),
        note("It is disconnected, and what it still sends is nobody's."),
      ];
    },
    send: (_values, key) => change("take-off", { device: device.id, subject: id }, key),
    said: () => `${device.id} is off, and free for others.`,
  };
}

// To another place on the same person: off, and on again.
export function replace(card, device) {
  const { bed } = card();
  const { id } = bed.subject;
  return {
    title: `Move ${device.id} to another place on ${id}`, action: "Move",
    fields: [{ name: "placement", label: "Where it is worn now", required: true, wide: true, hint: "Left is the patient's left.",
      options: [CHOOSE, ...placements.filter((value) => value !== device.placement).map((value) => ({ value, text: long(value) }))] }],
    means: (values) => {
      const now = card();
      const gone = [...stillThere(card, id), ...stillWorn(card, device.id)];
      if (gone.length) return gone;
      return [
        ...inTheWay(now.bed, device, values.placement),
        note(`It is taken off the ${place(device.placement)} and put on again: its numbers begin anew.`),
        ...when(now.bed.session?.state === "running", () => note(`${named(now.bed)} is running: what this sensor gave so far stays under the ${place(device.placement)}.`)),
      ];
    },
    send: async (values, key) => {
      const off = await change("take-off", { device: device.id, subject: id }, key);
      if (off.error) return off;
      const on = await change("assign", { ...values, device: device.id, bed: bed.id, subject: id }, newKey());
      return on.error ? { ...on, partly: true, error: `${device.id} was taken off, and not put on again. ${on.error}` } : on;
    },
    said: (values) => `${device.id} is on the ${place(values.placement)} of ${id}.`,
  };
}

export function start(card) {
  const { id } = card().bed.subject;
  return {
    title: `Start a session of ${id}`, action: "Start",
    fields: [
      { name: "protocol", label: "Protocol", required: true, maxlength: TEXT, suggestions: PROTOCOLS, hint: "10mwt, 6mwt, tug, treadmill, rest …" },
      { name: "notes", label: "Notes", maxlength: TEXT, hint: "No names." },
    ],
    means: () => {
      const { bed } = card();
      const gone = stillThere(card, id);
      if (gone.length) return gone;
      const silent = bed.worn.filter((one) => one.state !== "streaming");
      return [
        ...when(bed.session, () => stop(`${named(bed)} is ${bed.session?.state}: end it first.`)),
        ...when(!bed.worn.length, () => stop(`${id} wears no sensor: put one on first.`)),
        ...silent.map((one) => note(`${one.id} (${place(one.placement)}) is ${state(one.state)[1]}: what it should measure is missing as long as it is.`)),
      ];
    },
    send: (values, key) => change("session-start", { ...values, subject: id }, key),
    said: ({ protocol }) => `The session “${protocolWords(protocol)}” of ${id} has begun.`,
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
  title: (id, protocol) => `Pause “${protocol}” of ${id}`, action: "Pause",
  words: () => ["What is measured meanwhile is not part of the session."], said: (protocol) => `“${protocol}” is paused.`,
});

export const resume = (card) => ofSession(card, "session-resume", {
  title: (id, protocol) => `Go on with “${protocol}” of ${id}`, action: "Go on",
  words: () => ["What is measured from now on is part of the session again."], said: (protocol) => `“${protocol}” goes on.`,
});

export const mark = (card) => ofSession(card, "session-mark", {
  title: (id, protocol) => `Mark “${protocol}” of ${id}`, action: "Mark",
  fields: [{ name: "text", label: "What happened", required: true, maxlength: TEXT, wide: true, suggestions: MARKS, hint: "It is marked at the time at which you press Mark. A test goes by start, stop and lap. No names." }],
  words: () => [], said: (protocol) => `“${protocol}” was marked.`,
});

export const end = (card) => ofSession(card, "session-end", {
  title: (id, protocol) => `End “${protocol}” of ${id}`, action: "End the session",
  words: ({ bed, now }) => [
    `It began ${duration(Math.max(0, now - bed.session.started_us / 1e6))} ago, and cannot go on once it has ended.`,
    ...when(bed.worn.length, () => `${count(bed.worn.length, "sensor")} stay on; what they measure from now on is not part of a session.`),
  ],
  said: (protocol) => `“${protocol}” has ended.`,
});

// --- what is mended of a session that is over ---

const WHY = { name: "why", label: "What went wrong", maxlength: TEXT, wide: true, hint: "No names." };

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
    title: `Correct “${protocolWords(session.protocol)}” of ${session.subject}`, action: "Correct",
    fields: [
      { name: "subject", label: "Whose it was", required: true, pattern: PSEUDONYM, maxlength: 32, autocapitalize: "none", wide: true, value: session.subject },
      { ...time, name: "start", label: "Begun", value: local(session.started_us) },
      { ...time, name: "end", label: "Ended", value: local(session.ended_us) },
      WHY,
    ],
    means: (values) => {
      const { subject, start_us: begun, end_us: over } = corrected(session, values);
      return [
        ...when(!subject && !begun && !over, () => stop("Nothing is different yet.")),
        ...when(subject, () => note(`All that was measured in it becomes ${subject}'s, and nothing of it is shown of ${session.subject} any more.`)),
        ...when(begun || over, () => note("What was measured outside of these times is not part of the session.")),
        note("What it said before stays in the audit."),
      ];
    },
    send: (values, key) => change("session-correct", { ...corrected(session, values), session: session.id }, key),
    said: () => `“${protocolWords(session.protocol)}” was corrected.`,
  };
}

export function discard(session) {
  const back = session.discarded;
  return {
    title: `${back ? "Take back" : "Discard"} “${protocolWords(session.protocol)}” of ${session.subject}`, action: back ? "Take back" : "Discard",
    fields: [WHY],
    means: () => [note(back ? "It is used again, as before." : "It is not to be used, and is left out wherever nobody asks for it. Nothing is deleted, and it can be taken back.")],
    send: (values, key) => change("session-discard", { ...values, session: session.id, ...(back ? { take_back: true } : {}) }, key),
    said: () => `“${protocolWords(session.protocol)}” ${back ? "is used again" : "was discarded"}.`,
  };
}
