// What is planned for somebody: the bands that a change is held against, and sessions a week.

import { change } from "./change.js";
import { ask } from "./live.js";

const NONE = "none";
let groups = {};

// The band files that the dashboard has, once they are there; without them nothing can be chosen, and nothing is lost.
export const bandGroups = ask("api/bands").then((found) => { groups = found ?? {}; });

export function planFacts({ bands, sessions_a_week: sessions }) {
  return [
    ["A change is held against", bands ? groups[bands]?.population ?? `${bands} (no file of it is here)` : "no band chosen"],
    ["Sessions planned a week", sessions ? String(sessions) : "no number"],
  ];
}

export function plan(card) {
  const { id, bands, sessions_a_week: sessions } = card().bed.subject;
  const known = Object.entries(groups).map(([value, { population }]) => ({ value, text: `${value}: ${population}` }));
  const missing = bands && !groups[bands] ? [{ value: bands, text: `${bands} (no file of it is here)` }] : [];
  return {
    title: `Plan for ${id}`, action: "Plan",
    fields: [
      { name: "bands", label: "A change is held against", wide: true, value: bands || NONE,
        hint: "Published figures of a group of patients; each report says which, and where they are from.",
        options: [{ value: NONE, text: "no band: a change is shown, and not judged" }, ...known, ...missing] },
      { name: "sessions_a_week", label: "Sessions planned a week", type: "number", min: 0, max: 50, step: 1, inputmode: "numeric", value: sessions,
        hint: "0: no number is planned." },
    ],
    means: () => (card().bed?.subject?.id === id ? [] : [{ text: `${id} is not in this bed any more.`, stops: true }]),
    send: (values, key) => change("plan", { ...values, subject: id }, key),
    said: () => `The plan for ${id} was changed.`,
  };
}
