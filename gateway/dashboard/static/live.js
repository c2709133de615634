// The state of a page, several times a second, and what is the same on every page: clock, banner, labels.

import { $, say, speak } from "./dom.js";
import { leaveIfOver } from "./session.js";
import { STALE_S, clock, duration } from "./words.js";

const LOST_S = 3; // the server speaks twice a second: this long without a word is no delay
const RETRY_MS = 2000;

let state = null;
let receivedAt = 0;
let startedAt = performance.now();

const elapsed = () => (performance.now() - receivedAt) / 1000;

// The server's clock in seconds, whatever the clock of this tablet says.
export const now = () => (state ? state.now_us / 1e6 + elapsed() : Date.now() / 1000);

// Seconds since the server last spoke; all ages grow by it.
export const silence = () => (state ? elapsed() : 0);

export function follow(query, show) {
  const refresh = () => {
    showFrame();
    if (state) show(state);
  };
  connect(`/events${query}`, refresh);
  setInterval(() => { if (!state || elapsed() > 0.9) refresh(); }, 1000);
}

function connect(address, refresh) {
  const source = new EventSource(address);
  source.onmessage = (event) => {
    state = JSON.parse(event.data);
    receivedAt = performance.now();
    refresh();
  };
  source.onerror = () => { // refused: the browser would not try again by itself
    if (source.readyState !== EventSource.CLOSED) return;
    leaveIfOver();
    setTimeout(connect, RETRY_MS, address, refresh);
  };
}

function trouble() {
  const quiet = state ? elapsed() : (performance.now() - startedAt) / 1000;
  if (quiet > LOST_S) return `No connection to the dashboard for ${duration(quiet)}: what you see is old.`;
  if (!state) return "";
  if (!state.broker) return "The dashboard has lost the message broker: what you see is old.";
  if (state.gateway_state === "offline") return "The gateway is offline: no live data.";
  if (state.gateway_state === "silent") {
    return `The gateway has not been heard for ${duration(state.gateway_age_s + elapsed())}: what you see is old.`;
  }
  return "";
}

function showFrame() {
  const text = trouble();
  const banner = $("banner");
  banner.hidden = !text;
  say(banner, text);
  say($("clock").querySelector("time"), clock(now()));
  if (!state) return;
  const words = { online: "online", offline: "offline", silent: "silent", unknown: "not heard yet" };
  const lost = elapsed() > LOST_S || !state.broker;
  say($("gateway"), lost ? "Not connected" : `Gateway ${state.gateway} ${words[state.gateway_state]}`.replace("  ", " "));
  $("simulated").hidden = !(state.simulated || state.slot?.simulated || state.slots?.some((slot) => slot.simulated));
}

let spokenStale = false;
export function speakStale(label, seconds) {
  const stale = seconds === null || seconds > STALE_S;
  if (stale !== spokenStale) speak(stale ? `${label}: no data` : `${label}: data again`);
  spokenStale = stale;
}

export async function loadCatalogue() {
  const response = await fetch("/api/catalogue");
  return response.json();
}
