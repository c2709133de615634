// Who is signed in, the way out, and the sign of life of a person at the screen. Without users there is nothing to do.

import { make } from "./dom.js";

const SAY_EVERY_MS = 30_000; // often enough for the shortest lock, seldom enough not to matter
let said = 0;

async function begin() {
  const response = await fetch("/api/session");
  if (!response.ok) return;
  const session = await response.json();
  if (!session.user) return;
  const form = make("form", { method: "post", action: "/logout", className: "session" },
    make("span", {}, `${session.user} (${session.role})`),
    make("button", { type: "submit" }, "Sign out"));
  document.querySelector(".top").append(form);
  for (const sign of ["pointerdown", "keydown", "pointermove"]) addEventListener(sign, here, { passive: true });
}

function here() {
  if (Date.now() - said < SAY_EVERY_MS) return;
  said = Date.now();
  fetch("/api/active", { method: "POST" });
}

// Asked when the live state ends: a session that is over leads to the form, anything else is somebody else's trouble.
export async function leaveIfOver() {
  try {
    const response = await fetch("/api/session");
    if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  } catch {
    // No connection: the banner says it.
  }
}

begin();
