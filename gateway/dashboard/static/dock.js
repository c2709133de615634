// The dock: which sensors are free, how full they are, and who wears the others.

import { Ask } from "./ask.js";
import { changeAt, tell } from "./change.js";
import { Pairing } from "./dock_pairing.js";
import { $, attribute, keep, make, mark, ofGateway, say } from "./dom.js";
import { follow, silence } from "./live.js";
import { signedIn } from "./session.js";
import { t } from "./texts.js";
import { LOW_BATTERY, age, driverWords, long, state } from "./words.js";

const FULL_BATTERY = 80; // per cent: enough for a day on a patient with every device that the product reads
const known = ({ battery }) => typeof battery === "number";
const isLow = (sensor) => known(sensor) && sensor.battery < LOW_BATTERY;

// Each sensor is in the first group that it belongs to.
const GROUPS = [
  { id: "charge", title: t("dock.to_charge"), why: t("dock.below_fifth_their_battery"), has: isLow },
  { id: "ready", title: t("dock.ready_to_put_on"), why: t("dock.nobody_full_enough_for_day"), has: (one) => !one.bed && known(one) && one.battery >= FULL_BATTERY },
  { id: "nobody", title: t("dock.on_nobody"), why: t("dock.part_charged_or_not_heard"), has: (one) => !one.bed },
  { id: "unheard", title: t("dock.worn_and_not_heard"), why: t("dock.their_patients_are_not_measured"), has: (one) => one.state !== "streaming" },
  { id: "worn", title: t("common.worn"), why: t("dock.patient_sending"), has: () => true },
];

let told = null;
let pairing = null;

const dialog = new Ask((_answer, said) => tell(said), tell);

function makeSensor() {
  return make("li", {}, make("h3"), make("p", { className: "kind" }), make("p", { className: "where" }),
    make("p", { className: "charge" }), make("meter", { min: 0, max: 100, low: LOW_BATTERY, high: FULL_BATTERY, optimum: 100 }),
    make("button", { type: "button", hidden: true }));
}

function where(sensor) {
  if (!sensor.bed) return t("dock.on_nobody");
  const [shape, word] = state(sensor.state);
  return [`${sensor.label}${sensor.subject ? `, ${sensor.subject}` : ""}`, long(sensor.placement), `${shape} ${word}`.replaceAll(" ", "\u00a0")].join(" · ");
}

function updateSensor(item, sensor) {
  mark(item, isLow(sensor) ? "sensor low" : "sensor");
  const [name, kind, place, charge, meter, blink] = item.children;
  say(name, sensor.id);
  say(kind, driverWords(sensor.driver));
  say(place, where(sensor));
  const percent = known(sensor) ? Math.round(sensor.battery) : null;
  const heard = percent === null ? "" : age(sensor.battery_age_s + silence());
  say(charge, percent === null ? t("dock.battery_not_told") : isLow(sensor) ? t("dock.battery_low", { percent, heard }) : t("dock.battery", { percent, heard }));
  blink.hidden = !pairing?.blinks || !sensor.blinks;
  say(blink, t("dock_pairing.blink"));
  attribute(blink, "aria-label", t("dock_pairing.blink_label", { id: sensor.id }));
  blink.onclick = () => pairing.blink(sensor.id);
  meter.hidden = percent === null;
  meter.ariaLabel = t("dock.battery_of", { id: sensor.id });
  if (percent !== null && meter.value !== percent) meter.value = percent;
}

function makeGroup() {
  return make("section", { className: "dock-group" }, make("h2"), make("p", { className: "why" }), make("ul", { className: "sensors" }));
}

function updateGroup(section, { id: name, title, why, sensors }) {
  const [head, reason, list] = section.children;
  const id = `group-${name}`;
  if (head.id !== id) head.id = id;
  section.setAttribute("aria-labelledby", id);
  say(head, `${title} (${sensors.length})`);
  say(reason, why);
  keep(list, sensors, makeSensor, updateSensor);
}

function grouped(sensors) {
  const groups = GROUPS.map((group) => ({ ...group, sensors: [] }));
  for (const sensor of sensors) groups.find(({ has }) => has(sensor)).sensors.push(sensor);
  for (const group of groups) group.sensors.sort((a, b) => (a.battery ?? -1) - (b.battery ?? -1) || a.id.localeCompare(b.id));
  return groups.filter((group) => group.sensors.length);
}

function show() {
  if (!told) return;
  const wanted = $("find").value.trim().toLowerCase();
  const text = (one) => [one.id, one.label ?? "", one.subject ?? "", driverWords(one.driver)].join(" ").toLowerCase();
  const found = told.sensors.filter((one) => text(one).includes(wanted));
  keep($("groups"), grouped(found), makeGroup, updateGroup);
  $("empty").hidden = found.length > 0;
  say($("empty"), told.number === null ? t("dock.waiting_for_gateway_has_not") : told.sensors.length ? t("dock.no_sensor_matches") : t("dock.ward_has_no_sensors_yet"));
  changeAt(told.gateway);
  pairing?.show();
  dialog.refresh();
  const worn = told.sensors.filter(({ bed }) => bed).length;
  say($("counts"), told.sensors.length ? t("dock.on_nobody_worn", { worn: told.sensors.length - worn, worn2: worn }) : "");
}

$("find").addEventListener("input", show);
signedIn.then(({ may = [], may_pair: mayPair = [] }) => { pairing = new Pairing({ ward: () => told, dialog, may, mayPair }); show(); });
follow(ofGateway("?view=dock"), (state) => { told = state; show(); });
