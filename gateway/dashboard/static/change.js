// A change of the ward, or an answer to a notice: asked for once, and what became of it.

import { $, ROOT, say } from "./dom.js";
import { leaveIfOver, signedIn } from "./session.js";
import { inMyLanguage, t } from "./texts.js";

const ANSWER_MS = 20_000; // the server itself waits ten seconds for the gateway
const SAID_MS = 20_000; // so long it stands what was done
const UNAUTHORISED = 401;
const UNKNOWN = t("change.whether_change_was_made_not");

// What makes a request that is sent twice one request.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

let gateway = "";
let hide = 0;

// Says on top of the page what became of a change, for a while.
export function tell(text) {
  say($("change"), text);
  $("change").hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => { $("change").hidden = true; }, SAID_MS);
}

// Says whose beds are changed: a bed of that name of another gateway is somebody else's.
export function changeAt(name) {
  gateway = name;
}

// Returns {number, session …} of a change that was made, else {error}; with `unknown` where it may have been made.
export const change = (name, fields, key) => send(`api/ward/${name}`, gateway, fields, key);

// The same of anything that is asked of a gateway by its name.
export async function send(path, of, fields, key, withinMs = ANSWER_MS) {
  const { user } = await signedIn; // whose name stands on this page
  try {
    const response = await fetch(new URL(inMyLanguage(`${path}?gateway=${encodeURIComponent(of)}`), ROOT), {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key, "Signed-In-As": user },
      body: JSON.stringify(fields),
      signal: AbortSignal.timeout(withinMs),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    if (response.status === UNAUTHORISED) {
      leaveIfOver();
      return { error: t("change.you_are_signed_out_nothing") };
    }
    return refused(text, response.status);
  } catch {
    return { error: t("change.dashboard_did_not_answer", { unknown: UNKNOWN }), unknown: true };
  }
}

// A server of ours says what is wrong as JSON; a proxy between says it in its own words, and cannot know what was done.
function refused(text, status) {
  try {
    const said = JSON.parse(text);
    if (typeof said.error === "string") return { error: said.error, unknown: said.unknown === true };
  } catch { /* no JSON */ }
  if (status < 500) return { error: t("change.nothing_was_changed", { slice: text.trim().slice(0, 200) }) };
  return { error: t("change.dashboard_did_not_answer_2", { status, unknown: UNKNOWN }), unknown: true };
}
