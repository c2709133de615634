// The state of a page, several times a second, and what is the same on every page: clock, banner, labels.

import { $, ROOT, say, speak } from "./dom.js";
import { Link } from "./link.js";
import { leaveIfOver } from "./session.js";
import { isUnderstood } from "./shape.js";
import { all, inMyLanguage, t } from "./texts.js";
import { STALE_S, clock, duration } from "./words.js";

const LOST_S = 3; // the server speaks twice a second: this long without a word is no delay
const doubtOf = all("doubts");
const RETRY_MS = 2000;
const ANSWER_MS = 8000;
const UNAUTHORISED = 401;
const STATES = { online: t("live.online"), offline: t("live.offline"), silent: t("common.silent"), unknown: t("live.not_heard_yet"), ["no status"]: t("live.without_status") };

let state = null;
let received = null;
let refusal = "";
const started = [performance.now(), Date.now()];

// Seconds since a moment. One of the clocks stands still while a tablet sleeps, the other jumps when it is set: the
// longer time is the one that never makes an old number young.
const since = ([steady, date]) => Math.max(0, performance.now() - steady, Date.now() - date) / 1000;
const elapsed = () => since(received);

window.failure.runs(); // from here on it is said here what is missing

// The server's clock in seconds, whatever the clock of this tablet says.
export const now = () => (state ? state.now_us / 1e6 + elapsed() : Date.now() / 1000);

// Seconds since the server last spoke; all ages grow by it.
export const silence = () => (state ? elapsed() : 0);

export function follow(query, show) {
  const page = document.body.className.replace("page-", "");
  const refresh = () => {
    if (window.failure.failed) return;
    showFrame();
    if (!state) return;
    show(state);
  };
  const take = (said, late) => {
    if (window.failure.failed) return;
    if (text(said?.build) && said.build !== document.documentElement.dataset.build) window.failure.updated();
    else if (!isUnderstood(said, page)) window.failure.broken();
    else {
      state = said;
      refusal = "";
      received = [performance.now() - late * 1000, Date.now() - late * 1000];
      refresh();
    }
  };
  new Link(`events${query}`, take, (status, words) => {
    refusal = words.trim();
    if (status === UNAUTHORISED) leaveIfOver();
  });
  setInterval(() => { if (!state || elapsed() > 0.9) refresh(); }, 1000);
  for (const sign of ["visibilitychange", "resume"]) document.addEventListener(sign, refresh); // right before it is looked at
  addEventListener("pageshow", refresh);
}

// What the server doubts comes as the key of a sentence, and what stands in it.
function doubts() {
  return (state.doubt_keys ?? []).map(({ key, values, gateway }) => {
    const doubt = doubtOf(key, values);
    return gateway ? doubtOf("of_gateway", { gateway, doubt }) : doubt;
  });
}

const text = (value) => typeof value === "string";

function trouble() {
  const quiet = since(received ?? started);
  if (quiet > LOST_S) return [refusal || t("live.no_connection_dashboard_for_what", { quiet: duration(quiet) })];
  if (!state) return [];
  if (!state.broker) return [t("live.dashboard_has_lost_message_broker")];
  if (state.gateway_state === "offline") return [t("live.gateway_offline_no_live_data"), ...doubts()];
  if (state.doubts.length) return doubts();
  if (state.gateway_state === "silent") {
    return [t("live.gateway_has_not_been_heard", { duration: duration(state.gateway_age_s + elapsed()) })];
  }
  if (state.gateway_state === "no status") {
    return [t("live.numbers_arrive_but_not_gateways")];
  }
  return [];
}

function gatewayWords() {
  const { gateways = [], gateway, gateway_state: said } = state;
  if (gateways.length > 1) return t("live.gateways_online", { length: gateways.length, length2: gateways.filter((one) => one.state === "online").length });
  return t("live.gateway", { gateway, said: STATES[said] ?? "" }).replace("  ", " ");
}

function showFrame() {
  const words = trouble().join(" ");
  const banner = $("banner");
  banner.hidden = !words;
  say(banner, words);
  say($("clock").querySelector("time"), clock(now()));
  if (!state) return;
  const lost = elapsed() > LOST_S || !state.broker;
  say($("gateway"), lost ? t("live.not_connected") : gatewayWords());
  $("simulated").hidden = !(state.simulated || state.slot?.simulated || state.slots?.some((slot) => slot.simulated));
}

let spokenStale = false;
export function speakStale(label, seconds) {
  const stale = seconds === null || seconds > STALE_S;
  if (stale !== spokenStale) speak(stale ? t("live.no_data", { label }) : t("live.data_again", { label }));
  spokenStale = stale;
}

// The answer of the server to a question of a page; null where there is none within a few seconds.
export async function ask(path) {
  try {
    const response = await fetch(new URL(inMyLanguage(path), ROOT), { signal: AbortSignal.timeout(ANSWER_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

export async function loadCatalogue() {
  for (;;) {
    const catalogue = await ask("api/catalogue");
    if (catalogue) return catalogue;
    say($("banner"), t("live.no_connection_dashboard_yet"));
    $("banner").hidden = false;
    await leaveIfOver();
    await new Promise((done) => { setTimeout(done, RETRY_MS); });
  }
}
