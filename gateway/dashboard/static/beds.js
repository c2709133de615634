// All beds: who is in each, wearing what, doing what. A bed leads to its card, where it is changed.

import { Ask } from "./ask.js";
import { tell } from "./change.js";
import { makeChip, updateChip } from "./chip.js";
import { $, ROOT, keep, make, mark, say } from "./dom.js";
import { follow, now } from "./live.js";
import { mayChange, rights } from "./rights.js";
import { t } from "./texts.js";
import { addBeds } from "./ward_beds.js";
import { driverWords, duration, protocolWords, sessionWords } from "./words.js";

let told = null;
let mayAdd = false;

const dialog = new Ask((_answer, said) => tell(said), tell);

function makeBed() {
  return make("li", { className: "bed" },
    make("div", { className: "bed-top" }, make("h2", {}, make("a")), make("p", { className: "who" })),
    make("p", { className: "doing" }), make("ul", { className: "chips", ariaLabel: t("common.sensors") }));
}

function updateBed(item, bed) {
  mark(item, bed.subject ? "bed" : "bed nobody");
  const link = item.querySelector("a");
  const whose = bed.gateway ? `?gateway=${encodeURIComponent(bed.gateway)}` : "";
  const address = new URL(`bed/${encodeURIComponent(bed.id)}${whose}`, ROOT).href;
  if (link.getAttribute("href") !== address) link.href = address;
  say(link, bed.label);
  say(item.querySelector(".who"), [bed.subject?.id ?? t("common.empty"), bed.gateway].filter(Boolean).join(" · "));
  const doing = item.querySelector(".doing");
  const { session } = bed;
  mark(doing, `doing ${session?.state ?? ""}`.trim());
  const words = session && `${session.state === "running" ? "▶" : "❚❚"} ${t("beds.for", { protocol: protocolWords(session.protocol), state: sessionWords(session.state), duration: duration(Math.max(0, now() - session.started_us / 1e6)) })}`;
  say(doing, words ?? (bed.subject ? t("beds.no_session") : ""));
  const chips = item.querySelector(".chips");
  chips.hidden = bed.worn.length === 0;
  keep(chips, bed.worn, makeChip, updateChip);
}

function show() {
  if (!told) return;
  const wanted = $("find").value.trim().toLowerCase();
  const text = (bed) => [bed.label, bed.id, bed.subject?.id ?? "", bed.gateway ?? "", ...bed.worn.map((one) => one.id)].join(" ").toLowerCase();
  const found = told.beds.filter((bed) => text(bed).includes(wanted));
  keep($("beds"), found, makeBed, updateBed);
  $("empty").hidden = found.length > 0;
  say($("empty"), told.number === null ? t("common.waiting_for_gateway_has_not") : told.beds.length ? t("common.no_bed_matches") : t("beds.ward_has_no_beds_yet"));
  const taken = told.beds.filter((bed) => bed.subject).length;
  const running = told.beds.filter((bed) => bed.session).length;
  say($("counts"), told.beds.length ? t("beds.taken_session", { taken, length: told.beds.length, running }) : "");
  $("add").hidden = !mayAdd || told.number === null;
  mark($("add"), told.beds.length ? "" : "first");
  dialog.refresh();
  $("free").hidden = told.free.length === 0;
  keep($("free-list"), told.free, () => make("li", { className: "chip" }), (chip, one) => say(chip, [one.id, driverWords(one.driver), one.gateway].filter(Boolean).join(" · ")));
}

$("find").addEventListener("input", show);
$("add").addEventListener("click", () => dialog.open(addBeds(() => told)));
mayChange.then((may) => { mayAdd = may.includes("add-beds"); show(); });
rights($("rights"));
follow("?view=beds", (state) => { told = state; show(); });
