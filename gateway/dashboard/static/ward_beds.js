// Beds that the ward gets, a row at a time, and one that it has no more.

import { note, stop } from "./ask.js";
import { change, send } from "./change.js";
import { t } from "./texts.js";

const MOST = 256; // at once, as the gateway takes them
const LAST = 9999;
const LONGEST = 28; // characters of an id before its number

// What the ids of such beds begin with: "Bay" gives "bay-". Letters that no id may have are left out.
function prefixOf(label) {
  const plain = label.normalize("NFD").toLowerCase().replace(/[\u0300-\u036f]/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return `${(plain || "bed").slice(0, LONGEST - 1)}-`;
}

// The number that follows the largest of the beds of such a name.
function nextNumber(beds, prefix) {
  const numbers = beds.filter(({ id }) => id.startsWith(prefix)).map(({ id }) => Number(id.slice(prefix.length))).filter(Number.isInteger);
  return numbers.length ? Math.max(...numbers) + 1 : 1;
}

const there = (beds, prefix, first, last, gateway) => beds.filter((bed) => {
  const number = Number(bed.id.startsWith(prefix) ? bed.id.slice(prefix.length) : NaN);
  return number >= first && number <= last && (!gateway || bed.gateway === gateway);
});

// `ward()` tells the page of beds as it is now: {beds, gateway, gateways}.
export function addBeds(ward) {
  const { beds, gateways = [] } = ward();
  const label = beds.at(-1)?.label.replace(/\s*\d+$/, "") || t("ward_beds.bay");
  const first = nextNumber(beds, prefixOf(label));
  const number = { type: "number", required: true, min: 0, max: LAST, step: 1, inputmode: "numeric" };
  const where = gateways.length > 1
    ? [{ name: "gateway", label: t("ward_beds.whose"), required: true, wide: true, options: gateways.map(({ id }) => ({ value: id, text: id })) }] : [];
  return {
    title: t("ward_beds.add"), action: t("ward_beds.add_2"),
    fields: [
      ...where,
      { name: "label", label: t("ward_beds.what_ward_calls_them"), required: true, wide: true, maxlength: 60, value: label, hint: t("ward_beds.number_follows") },
      { ...number, name: "first", label: t("ward_beds.first_number"), value: first },
      { ...number, name: "last", label: t("ward_beds.last_number"), value: first },
    ],
    means: ({ label: name, first: from, last: to, gateway }) => {
      if (!name || !Number.isInteger(from) || !Number.isInteger(to)) return [];
      const n = to - from + 1;
      if (n < 1) return [stop(t("ward_beds.last_is_before_first"))];
      if (n > MOST) return [stop(t("ward_beds.too_many", { n, most: MOST }))];
      const taken = there(ward().beds, prefixOf(name), from, to, gateway);
      if (taken.length) return [stop(t("ward_beds.there_already", { which: taken.slice(0, 3).map((bed) => bed.id).join(", ") }))];
      const prefix = prefixOf(name);
      return [note(n === 1 ? t("ward_beds.becomes_one", { first: `${name} ${from}`, id: `${prefix}${from}` })
        : t("ward_beds.becomes", { n, first: `${name} ${from}`, last: `${name} ${to}`, id: `${prefix}${from}`, id2: `${prefix}${to}` }))];
    },
    send: ({ gateway, ...values }, key) => send("api/ward/add-beds", gateway ?? ward().gateway, { ...values, prefix: prefixOf(values.label) }, key),
    said: ({ first: from, last: to }) => t("ward_beds.added", { n: to - from + 1 }),
  };
}

// `card()` tells a bed as it is now: it goes only while nobody is in it.
export function removeBed(card) {
  const { id, label } = card().bed;
  return {
    title: t("ward_beds.remove", { label }), action: t("ward_beds.remove_2"),
    means: () => {
      const subject = card().bed?.subject;
      if (subject) return [stop(t("changes.discharge_or_move_them_first", { there: subject.id, label }))];
      return [note(t("ward_beds.what_was_measured_stays"))];
    },
    send: (_values, key) => change("remove-bed", { bed: id }, key),
    said: () => t("ward_beds.was_removed", { label }),
  };
}
