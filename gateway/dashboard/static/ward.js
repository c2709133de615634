// The ward: one tile a bed, readable from across the room.

import { Ask } from "./ask.js";
import { tell } from "./change.js";
import { makeChip, updateChip } from "./chip.js";
import { $, ROOT, keep, make, mark, say, speak } from "./dom.js";
import { calledOut, isStopped } from "./exoskeleton.js";
import { Kiosk } from "./kiosk.js";
import { follow, loadCatalogue, silence, now } from "./live.js";
import * as answers from "./notice_answers.js";
import { at, inOneLine, kindWords, showNotices, textOf } from "./notices.js";
import { signedIn } from "./session.js";
import { t } from "./texts.js";
import { SHOWS, SORTS, asKiosk, choice, choose, chosen, isEmpty, numbersOf } from "./wall.js";
import { ACTIVITY, STALE_S, age, clock, duration, protocolWords, reading, when, whole } from "./words.js";

const FEW = 6; // as many or fewer have room to be larger
const NEW_S = 600; // so long a tile says that its patient is new
const PAGE = 24; // tiles: more are not readable at a glance
const LISTED = 2; // notices above the beds of a wall; the tiles have theirs
const HEART = "heart_rate";

const catalogue = await loadCatalogue();
const { role, may_answer: may = [] } = await Promise.race([signedIn, new Promise((done) => { setTimeout(done, 3000, {}); })]);
const numbers = numbersOf(catalogue);
if (!numbers.includes(choice.number)) choice.number = numbers[0];
const kiosk = asKiosk(role) ? new Kiosk(() => { page += 1; show(); }) : null;
let state = null;
let slots = [];
let notices = [];
let pauses = [];
let page = 0;
let beyond = 0; // beds that found no room

const figure = () => make("div", { className: "figure" },
  make("p", { className: "name" }, make("span", { className: "title" }), " ", make("span", { className: "unit" })),
  make("p", { className: "number" }, make("b")),
  make("p", { className: "remark" }));

function makeTile() {
  const heading = make("h2", {}, make("a"));
  return make("li", { className: "tile" },
    make("div", { className: "tile-top" }, heading, make("p", { className: "activity" },
      make("span", { ariaHidden: "true" }), make("span"))),
    make("p", { className: "subject" }),
    make("div", { className: "pair" }, figure(), figure()),
    make("p", { className: "tile-alarm" }),
    make("p", { className: "tile-notice" }, make("span", { ariaHidden: "true" }), " ", make("span")),
    make("ul", { className: "chips", ariaLabel: t("common.devices") }),
    make("p", { className: "age" }));
}

function updateFigure(node, id, shown) {
  const metric = catalogue[id];
  const { text, old, doubt, remark, unit } = reading(metric, shown, now());
  mark(node, `figure${old ? " old" : ""}${doubt ? " doubt" : ""}`);
  say(node.querySelector(".title"), metric.title);
  say(node.querySelector("b"), text);
  say(node.querySelector(".unit"), unit);
  say(node.querySelector(".remark"), !shown || remark === age(0) || (!old && !doubt) ? "" : remark);
}

const ageOf = (slot) => (slot.age_s === null ? null : slot.age_s + silence());
const isStale = (slot) => (ageOf(slot) ?? Infinity) > STALE_S;
const noticesOf = (slot) => notices.filter((notice) => notice.slot === slot.id && notice.gateway === slot.gateway);
const slotOf = (bed, gateway) => slots.find((slot) => slot.id === bed && slot.gateway === gateway);
const labelOf = (bed, gateway) => slotOf(bed, gateway)?.label ?? (bed || t("ward.the_gateway"));

function updateLink(link, slot) {
  say(link, slot.label);
  if (kiosk) return; // nobody is there to follow it
  const whose = slot.gateway ? `?gateway=${encodeURIComponent(slot.gateway)}` : "";
  const address = new URL(`patient/${encodeURIComponent(slot.id)}${whose}`, ROOT).href;
  if (link.getAttribute("href") !== address) link.href = address;
}

function sensors(devices) {
  const streaming = devices.filter((device) => device.state === "streaming").length;
  if (streaming === devices.length) return t("ward.sensors", { n: devices.length });
  return t("ward.of_sensors", { n: devices.length, streaming });
}

function updateWho(tile, slot) {
  const since = slot.patient_since_us === null ? null : slot.patient_since_us / 1e6;
  const fresh = since !== null && now() - since < NEW_S ? t("ward.new_since", { clock: clock(since, false) }) : "";
  const doing = slot.protocol && slot.protocol !== "free_walk" ? protocolWords(slot.protocol) : "";
  const who = isEmpty(slot) ? t("common.empty") : `${slot.subject}`;
  const worn = kiosk && slot.devices.length && !isStale(slot) ? sensors(slot.devices) : ""; // a wall has no room for a chip each
  say(tile.querySelector(".subject"), `${[who, doing, worn, slot.gateway].filter(Boolean).join(" · ")}${isEmpty(slot) ? "" : fresh}`);
}

function updateActivity(node, name, shape, word) {
  mark(node, `activity ${name}`);
  say(node.children[0], shape);
  say(node.children[1], word);
}

function updateLines(tile, slot) {
  const alarm = tile.querySelector(".tile-alarm");
  const called = calledOut(slot.alarms, now());
  alarm.hidden = !called;
  say(alarm, called);
  const line = tile.querySelector(".tile-notice");
  const [shape, words, quiet] = inOneLine(noticesOf(slot));
  line.hidden = !words;
  mark(line, `tile-notice${quiet ? " quiet" : ""}`);
  say(line.children[0], shape);
  say(line.children[1], words);
}

function updateTile(tile, slot) {
  const seconds = ageOf(slot);
  const stale = seconds !== null && seconds > STALE_S;
  mark(tile, `tile${seconds === null ? " empty-slot" : ""}${stale ? " stale" : ""}${slot.alarms.length ? " alarmed" : ""}`);
  updateLink(tile.querySelector("a"), slot);
  updateWho(tile, slot);
  updateActivity(tile.querySelector(".activity"), ...(stale || seconds === null ? ACTIVITY[""] : ACTIVITY[slot.activity] ?? ACTIVITY[""]));
  const figures = tile.querySelectorAll(".figure");
  [choice.number, HEART].forEach((id, i) => updateFigure(figures[i], id, slot.values[id]));
  updateLines(tile, slot);
  keep(tile.querySelector(".chips"), slot.devices, makeChip, updateChip);
  const bare = !isEmpty(slot) && slot.devices.length === 0 ? `${t("common.no_sensor_is_worn")} ` : "";
  const words = isEmpty(slot) ? t("ward.nobody_this_bed") : seconds === null ? `${bare}${t("ward.no_data_yet")}` : stale ? t("ward.no_data_for", { seconds: duration(seconds) }) : t("ward.data", { seconds: age(seconds) });
  say(tile.querySelector(".age"), words);
}

function showCounts() {
  const stale = slots.filter((slot) => !isEmpty(slot) && isStale(slot)).length;
  const walking = slots.filter((slot) => slot.activity === "walking" && !isStale(slot)).length;
  const beds = t("ward.beds", { n: slots.length });
  const more = beyond ? t("ward.more_that_are_not_shown", { beyond: whole(beyond) }) : "";
  const stopped = slots.filter((slot) => isStopped(slot.alarms)).map((slot) => slot.label);
  const stops = stopped.length ? t("ward.emergency_stop_in", { which: stopped.join(", ") }) : "";
  const counts = slots.length ? t("ward.walking_without_data", { beds, more, walking, stale, stops }) : "";
  if ($("counts").textContent !== counts) speak(counts);
  say($("counts"), counts);
  $("heard").hidden = !kiosk || state.gateway_age_s === null;
  if (kiosk && state.gateway_age_s !== null) say($("heard"), t("ward.last_heard", { clock: when(now() - state.gateway_age_s - silence(), now()) }));
}

function show() {
  if (!state) return;
  const found = chosen(slots, (slot) => ({ notices: noticesOf(slot), stale: isStale(slot) }), state.gateway);
  const size = kiosk ? kiosk.size(found.length) : PAGE;
  const pages = Math.max(1, Math.ceil(found.length / size));
  page = kiosk ? page % pages : Math.min(page, pages - 1);
  keep($("tiles"), found.slice(page * size, (page + 1) * size), makeTile, updateTile);
  $("tiles").classList.toggle("few", !kiosk && found.length <= FEW);
  $("empty").hidden = found.length > 0;
  say($("empty"), slots.length ? t("common.no_bed_matches") : t("ward.no_beds_yet_gateway_has"));
  $("pager").hidden = pages < 2;
  say($("page"), kiosk ? t("ward.page_of", { page: page + 1, pages }) : t("ward.of", { page: page + 1, pages }));
  $("previous").disabled = page === 0;
  $("next").disabled = page === pages - 1;
  showCounts();
}

// --- answers to notices ---

const dialog = new Ask((_answer, said) => tell(said), (error) => tell(error));
const there = {
  standing: ({ id, since_us: since }) => notices.find((notice) => notice.id === id && notice.since_us === since),
  paused: ({ bed, code, gateway, until_us: until }) => pauses.some((one) => one.bed === bed && one.code === code && one.gateway === gateway && one.until_us === until),
  label: labelOf,
  whose(bed, gateway) {
    const slot = slotOf(bed, gateway);
    return slot?.known ? slot.subject : undefined; // who is there has not been told
  },
};

function offers(notice) {
  if (kiosk) return [];
  const found = [];
  if (may.includes("acknowledge") && !notice.acknowledged) {
    found.push({ text: t("ward.seen"), label: t("ward.acknowledge", { notice: textOf(notice) }), act: () => dialog.open(answers.acknowledge(notice, there, state.gateway)) });
  }
  if (may.includes("pause") && !notice.paused && !notice.acknowledged) {
    found.push({ text: t("common.pause"), label: t("ward.pause", { notice: textOf(notice) }), act: () => dialog.open(answers.pause(notice, there, state.gateway)) });
  }
  return found;
}

function makePause() {
  return make("li", {}, make("span"), " ", make("button", { type: "button" }));
}

function updatePause(item, paused) {
  const label = labelOf(paused.bed, paused.gateway);
  const kind = paused.code ? kindWords(paused.code) : t("ward.all_notices");
  say(item.children[0], paused.why ? t("ward.paused_until_of_by", { at: at(paused.until_us), kind, label, by: paused.by, why: paused.why }) : t("ward.paused_until_of_by_2", { at: at(paused.until_us), kind, label, by: paused.by }));
  item.children[1].hidden = Boolean(kiosk) || !may.includes("resume");
  say(item.children[1], t("ward.end_the_pause"));
  item.children[1].setAttribute("aria-label", t("ward.end_pause", { kind, label }));
  item.children[1].onclick = () => dialog.open(answers.resume(paused, there, state.gateway));
}

// --- choices ---

function offer(select, options, name) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, textContent: text })));
  select.value = choice[name];
  select.addEventListener("change", () => {
    choose(name, select.value);
    page = 0;
    if (name === "number") location.reload(); // another number is another stream
    else show();
  });
}

offer($("show"), Object.entries(SHOWS), "show");
offer($("sort"), Object.entries(SORTS), "sort");
offer($("number"), numbers.map((id) => [id, catalogue[id].title]), "number");
offer($("ward"), [["", t("ward.all")]], "ward");
$("find").value = choice.find;
$("find").addEventListener("input", () => { choose("find", $("find").value); page = 0; show(); });
$("previous").addEventListener("click", () => { page -= 1; show(); });
$("next").addEventListener("click", () => { page += 1; show(); });
if (kiosk) addEventListener("resize", show);

let wards = [];

// What was chosen can be undone, also where that gateway is not heard, or no other.
function showWards() {
  const ids = [...new Set(["", ...(state.gateways ?? []).map(({ id }) => id), choice.ward])];
  $("ward-choice").hidden = ids.length < 3 && !choice.ward;
  if (ids.join() === wards.join()) return;
  wards = ids;
  $("ward").replaceChildren(...ids.map((id) => make("option", { value: id, textContent: id || t("ward.all") })));
  $("ward").value = choice.ward;
}

follow(choice.number === "cadence" ? "" : `?number=${encodeURIComponent(choice.number)}`, (said) => {
  state = said;
  slots = said.slots;
  notices = said.notices;
  pauses = said.pauses ?? [];
  beyond = said.more_slots ?? 0;
  showWards();
  showNotices($("notices"), notices, kiosk ? LISTED : undefined, offers);
  $("pauses").hidden = pauses.length === 0;
  keep($("pauses"), pauses, makePause, updatePause);
  show();
  dialog.refresh();
});
