// The ward: one tile a bed, readable from across the room.

import { makeChip, updateChip } from "./chip.js";
import { $, ROOT, keep, make, mark, say, speak } from "./dom.js";
import { calledOut, isStopped } from "./exoskeleton.js";
import { follow, loadCatalogue, silence, now } from "./live.js";
import { inOneLine, showNotices } from "./notices.js";
import { ACTIVITY, STALE_S, age, clock, duration, reading } from "./words.js";

const FEW = 6; // as many or fewer have room to be larger
const NEW_S = 600; // so long a tile says that its patient is new
const PAGE = 24; // tiles: more are not readable at a glance
const FIGURES = ["cadence", "heart_rate"];

const catalogue = await loadCatalogue();
let slots = [];
let notices = [];
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
    make("ul", { className: "chips", ariaLabel: "Devices" }),
    make("p", { className: "age" }));
}

function updateFigure(node, id, shown) {
  const metric = catalogue[id];
  const { text, old, doubt, remark, unit } = reading(metric, shown, now());
  mark(node, `figure${old ? " old" : ""}${doubt ? " doubt" : ""}`);
  say(node.querySelector(".title"), metric.title);
  say(node.querySelector("b"), text);
  say(node.querySelector(".unit"), unit);
  say(node.querySelector(".remark"), !shown || remark === "now" || (!old && !doubt) ? "" : remark);
}

const ageOf = (slot) => (slot.age_s === null ? null : slot.age_s + silence());

const isEmpty = (slot) => slot.known === true && !slot.subject && !slot.session;

function updateTile(tile, slot) {
  const seconds = ageOf(slot);
  const stale = seconds !== null && seconds > STALE_S;
  mark(tile, `tile${seconds === null ? " empty-slot" : ""}${stale ? " stale" : ""}${slot.alarms.length ? " alarmed" : ""}`);
  const link = tile.querySelector("a");
  const whose = slot.gateway ? `?gateway=${encodeURIComponent(slot.gateway)}` : "";
  const address = new URL(`patient/${encodeURIComponent(slot.id)}${whose}`, ROOT).href;
  if (link.getAttribute("href") !== address) link.href = address;
  say(link, slot.label);
  const since = slot.patient_since_us === null ? null : slot.patient_since_us / 1e6;
  const fresh = since !== null && now() - since < NEW_S ? ` · new since ${clock(since, false)}` : "";
  const who = isEmpty(slot) ? "empty" : `${slot.subject}`;
  say(tile.querySelector(".subject"), `${[who, slot.gateway].filter(Boolean).join(" · ")}${isEmpty(slot) ? "" : fresh}`);
  const [name, shape, word] = stale || seconds === null ? ACTIVITY[""] : ACTIVITY[slot.activity] ?? ACTIVITY[""];
  const activity = tile.querySelector(".activity");
  mark(activity, `activity ${name}`);
  say(activity.children[0], shape);
  say(activity.children[1], word);
  const figures = tile.querySelectorAll(".figure");
  FIGURES.forEach((id, i) => updateFigure(figures[i], id, slot.values[id]));
  const alarm = tile.querySelector(".tile-alarm");
  const called = calledOut(slot.alarms, now());
  alarm.hidden = !called;
  say(alarm, called);
  const line = tile.querySelector(".tile-notice");
  const [noticeShape, noticeWords] = inOneLine(notices.filter((notice) => notice.slot === slot.id && notice.gateway === slot.gateway));
  line.hidden = !noticeWords;
  say(line.children[0], noticeShape);
  say(line.children[1], noticeWords);
  keep(tile.querySelector(".chips"), slot.devices, makeChip, updateChip);
  const words = isEmpty(slot) ? "Nobody is in this bed" : seconds === null ? "No data yet" : stale ? `No data for ${duration(seconds)}` : `Data ${age(seconds)}`;
  say(tile.querySelector(".age"), words);
}

function chosen() {
  const wanted = $("find").value.trim().toLowerCase();
  return slots.filter((slot) => `${slot.label} ${slot.id} ${slot.subject} ${slot.gateway ?? ""}`.toLowerCase().includes(wanted));
}

function show() {
  const found = chosen();
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  page = Math.min(page, pages - 1);
  keep($("tiles"), found.slice(page * PAGE, (page + 1) * PAGE), makeTile, updateTile);
  $("tiles").classList.toggle("few", found.length <= FEW);
  $("empty").hidden = found.length > 0;
  say($("empty"), slots.length ? "No bed matches." : "No beds yet: the gateway has not told of any.");
  $("pager").hidden = pages < 2;
  say($("page"), `${page + 1} of ${pages}`);
  $("previous").disabled = page === 0;
  $("next").disabled = page === pages - 1;
  const stale = slots.filter((slot) => !isEmpty(slot) && (ageOf(slot) ?? Infinity) > STALE_S).length;
  const walking = slots.filter((slot) => slot.activity === "walking" && ageOf(slot) <= STALE_S).length;
  const beds = `${slots.length} ${slots.length === 1 ? "bed" : "beds"}`;
  const more = beyond ? ` and ${beyond.toLocaleString("en-GB")} more that are not shown` : "";
  const stopped = slots.filter((slot) => isStopped(slot.alarms)).map((slot) => slot.label);
  const stops = stopped.length ? ` · ▲ emergency stop in ${stopped.join(", ")}` : "";
  const counts = slots.length ? `${beds}${more} · ${walking} walking · ${stale} without data${stops}` : "";
  if ($("counts").textContent !== counts) speak(counts);
  say($("counts"), counts);
}

$("find").addEventListener("input", () => { page = 0; show(); });
$("previous").addEventListener("click", () => { page -= 1; show(); });
$("next").addEventListener("click", () => { page += 1; show(); });
follow("", (state) => {
  slots = state.slots;
  notices = state.notices;
  beyond = state.more_slots ?? 0;
  showNotices($("notices"), notices);
  show();
});
