// The dock: which sensors are free, how full they are, and who wears the others.

import { driverWords } from "./changes.js";
import { $, keep, make, mark, ofGateway, say } from "./dom.js";
import { follow, silence } from "./live.js";
import { LOW_BATTERY, age, long, state } from "./words.js";

const FULL_BATTERY = 80; // per cent: enough for a day on a patient with every device that the product reads
const known = ({ battery }) => typeof battery === "number";
const isLow = (sensor) => known(sensor) && sensor.battery < LOW_BATTERY;

// Each sensor is in the first group that it belongs to.
const GROUPS = [
  { title: "To charge", why: "Below a fifth of their battery.", has: isLow },
  { title: "Ready to put on", why: "On nobody, and full enough for a day.", has: (one) => !one.bed && known(one) && one.battery >= FULL_BATTERY },
  { title: "On nobody", why: "Part charged, or not heard yet how full they are: charge them before they are put on.", has: (one) => !one.bed },
  { title: "Worn, and not heard", why: "Their patients are not measured by them.", has: (one) => one.state !== "streaming" },
  { title: "Worn", why: "On a patient, and sending.", has: () => true },
];

let told = null;

function makeSensor() {
  return make("li", {}, make("h3"), make("p", { className: "kind" }), make("p", { className: "where" }),
    make("p", { className: "charge" }), make("meter", { min: 0, max: 100, low: LOW_BATTERY, high: FULL_BATTERY, optimum: 100 }));
}

function where(sensor) {
  if (!sensor.bed) return "On nobody";
  const [shape, word] = state(sensor.state);
  return [`${sensor.label}${sensor.subject ? `, ${sensor.subject}` : ""}`, long(sensor.placement), `${shape} ${word}`].join(" · ");
}

function updateSensor(item, sensor) {
  mark(item, isLow(sensor) ? "sensor low" : "sensor");
  const [name, kind, place, charge, meter] = item.children;
  say(name, sensor.id);
  say(kind, driverWords(sensor.driver));
  say(place, where(sensor));
  const percent = known(sensor) ? Math.round(sensor.battery) : null;
  say(charge, percent === null ? "Battery not told" : `${isLow(sensor) ? "▲ Battery low, " : "Battery "}${percent} %, ${age(sensor.battery_age_s + silence())}`);
  meter.hidden = percent === null;
  meter.ariaLabel = `Battery of ${sensor.id}`;
  if (percent !== null && meter.value !== percent) meter.value = percent;
}

function makeGroup() {
  return make("section", { className: "dock-group" }, make("h2"), make("p", { className: "why" }), make("ul", { className: "sensors" }));
}

function updateGroup(section, { title, why, sensors }) {
  const [head, reason, list] = section.children;
  const id = `group-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
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
  say($("empty"), told.number === null ? "Waiting for the gateway: it has not told which sensors the ward has." : told.sensors.length ? "No sensor matches." : "The ward has no sensors yet.");
  const worn = told.sensors.filter(({ bed }) => bed).length;
  say($("counts"), told.sensors.length ? `${told.sensors.length - worn} on nobody · ${worn} worn` : "");
}

$("find").addEventListener("input", show);
follow(ofGateway("?view=dock"), (state) => { told = state; show(); });
