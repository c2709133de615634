// Who is signed in, the way out, and the sign of life of a person at the screen. Without users there is nothing to do.

import { ROOT, make } from "./dom.js";
import { t } from "./texts.js";
import { roleWords } from "./words.js";

const SAY_EVERY_MS = 30_000; // often enough for the shortest lock, seldom enough not to matter
const ANSWER_MS = 8000;
const AFTER_MS = 2000; // past the moment at which the server locks, so that it has
let said = 0;
let idle = 0; // milliseconds without a person until the page locks; 0: never
let locking = 0;
let leaving = false; // signs out: the end of the live state, which comes with it, is not to lead elsewhere
let shown; // whose page this is
let known;

// Who is signed in, and what they may change of the ward; an empty object where there are no users.
export const signedIn = new Promise((done) => { known = done; });

const address = (path) => new URL(path, ROOT);
const asked = (path, options = {}) => fetch(address(path), { ...options, signal: AbortSignal.timeout(ANSWER_MS) });

async function begin() {
  try {
    const response = await asked("api/session");
    const session = response.ok ? await response.json() : {};
    known(session);
    document.documentElement.dataset.role = session.role ?? "";
    if (!session.user) return;
    shown = session.user;
    const form = make("form", { method: "post", action: address("logout").href, className: "session" },
      make("span", {}, `${session.user} (${roleWords(session.role)})`),
      make("button", { type: "submit" }, t("session.sign_out")));
    form.addEventListener("submit", () => { leaving = true; });
    document.querySelector(".top").append(form);
    if (session.role !== "viewer") lockable(session);
    for (const sign of ["pointerdown", "keydown", "pointermove"]) addEventListener(sign, here, { passive: true });
  } catch { // no connection: the banner says it
    setTimeout(begin, SAY_EVERY_MS);
  }
}

// A person's page locks: by a button, and by itself when nobody has touched it for long. A screen on a wall does not.
function lockable(session) {
  idle = session.idle_s * 1000;
  const form = make("form", { method: "post", action: address("lock").href, className: "lock" },
    make("input", { type: "hidden", name: "next", value: place() }),
    make("a", { href: address("pin").href }, t("common.pin")),
    make("button", { type: "submit" }, t("session.lock")));
  form.addEventListener("submit", () => { leaving = true; });
  document.querySelector(".top").append(form);
  lockLater();
  for (const sign of ["visibilitychange", "pageshow"]) addEventListener(sign, lookAgain);
}

// Before a page is looked at again: where nothing streams, nothing has told it that it was locked in another window.
function lookAgain() {
  if (!document.hidden) leaveIfOver();
}

// Also where nothing streams; another window of this person may have kept the session: then it is asked again.
function lockLater() {
  clearTimeout(locking);
  if (idle) locking = setTimeout(() => { leaveIfOver(); lockLater(); }, idle + AFTER_MS);
}

// This page as the server knows it, behind whatever proxy.
const place = () => `/${location.pathname.slice(ROOT.pathname.length)}${location.search}`;

function here() {
  lockLater();
  if (Date.now() - said < SAY_EVERY_MS) return;
  said = Date.now();
  asked("api/active", { method: "POST" }).catch(() => { said = 0; });
}

// Asked when the live state ends: a session that is over leads to the form, one of somebody else to what they may see;
// anything else is somebody else's trouble.
export async function leaveIfOver() {
  try {
    const response = await asked("api/session");
    if (leaving) return;
    if (response.status === 401) location.assign(address(`login?next=${encodeURIComponent(place())}`));
    else if (shown && response.ok && (await response.json()).user !== shown) location.reload();
  } catch {
    // No connection: the banner says it.
  }
}

// A page from the browser's memory may be of whoever was signed in then: nothing of it is seen before the server answers.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  document.body.hidden = true;
  location.reload();
});

begin();
