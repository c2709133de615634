// Which beds the ward page shows, in which order, with which number: chosen on the page, kept in its address.

import { isStopped } from "./exoskeleton.js";
import { isQuiet } from "./notices.js";
import { t } from "./texts.js";

const USUAL = { show: "all", sort: "notice", number: "cadence", ward: "", find: "", turn: "15" };

export const SHOWS = {
  all: t("wall.all_beds"), notice: t("wall.with_notices"), bare: t("wall.without_sensors"), silent: t("wall.without_data"), walking: t("wall.walking_now"), taken: t("wall.somebody_in_them"),
};
export const SORTS = { notice: t("wall.notices_first"), bed: t("wall.by_bed") };

// What a ward may want to read from across the room: those of the catalogue that are there.
const NUMBERS = [
  "cadence", "walking_speed", "n_steps", "symmetry_index", "walking_time", "upright_time", "transfer_count", "rep_count", "spo2",
  "respiratory_rate", "exo_steps", "exo_walk_time", "exo_up_time", "exo_assistance",
];
export const numbersOf = (catalogue) => NUMBERS.filter((id) => id in catalogue);

const given = new URLSearchParams(location.search);
export const choice = Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, given.get(name) ?? usual]));
for (const [name, known] of [["show", SHOWS], ["sort", SORTS]]) if (!(choice[name] in known)) choice[name] = USUAL[name];

// `?kiosk`, and a screen that is signed in as a viewer unless it says `?kiosk=no`.
export const asKiosk = (role) => (given.has("kiosk") ? given.get("kiosk") !== "no" : role === "viewer");

export function choose(name, value) {
  choice[name] = value;
  const query = new URLSearchParams(location.search);
  if (value === USUAL[name]) query.delete(name);
  else query.set(name, value);
  const words = query.toString().replace(/kiosk=(?=&|$)/, "kiosk");
  history.replaceState(null, "", `${location.pathname}${words ? `?${words}` : ""}`);
}

export const isEmpty = (slot) => slot.known === true && !slot.subject && !slot.session;

const IS = {
  all: () => true,
  notice: (slot, { notices }) => notices.length > 0 || slot.alarms.length > 0,
  bare: (slot) => slot.devices.length === 0,
  silent: (slot, { stale }) => !isEmpty(slot) && stale,
  walking: (slot, { stale }) => slot.activity === "walking" && !stale,
  taken: (slot) => !isEmpty(slot),
};

// How soon somebody should look: what is loud before what is quiet, and both before nothing.
function rank(slot, { notices }) {
  if (isStopped(slot.alarms)) return 0;
  const loud = notices.filter((notice) => !isQuiet(notice));
  if (loud.some(({ priority }) => priority === "medium") || slot.alarms.length) return 1;
  return loud.length ? 2 : 3;
}

// `about(slot)` tells the notices of a bed, and whether what is shown of it is old; a gateway that is alone names no bed.
export function chosen(slots, about, alone) {
  const wanted = choice.find.trim().toLowerCase();
  const found = slots
    .map((slot, place) => ({ slot, place, of: about(slot) }))
    .filter(({ slot, of }) => IS[choice.show](slot, of)
      && (!choice.ward || (slot.gateway ?? alone) === choice.ward)
      && `${slot.label} ${slot.id} ${slot.subject} ${slot.gateway ?? ""}`.toLowerCase().includes(wanted));
  if (choice.sort === "notice") found.sort((a, b) => rank(a.slot, a.of) - rank(b.slot, b.of) || a.place - b.place);
  return found.map(({ slot }) => slot);
}
