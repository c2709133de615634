// Who is in the bed that a page shows, and the words that say when it is somebody else than before.

import { $, make, say, speak } from "./dom.js";
import { t } from "./texts.js";
import { clock, duration } from "./words.js";

const PATIENT_MS = 600_000; // a note about another patient stays so long, or until it was seen
const SESSION_MS = 60_000;
const LONG_S = 60;

const same = (a, b, keys) => keys.every((key) => a[key] === b[key]);

export class Wearer {
  // `anew` is called when what is on the page is of somebody else, or of another session.
  constructor(slot, anew) {
    Object.assign(this, { slot, anew, now: null, until: 0, stays: 0, key: `wearer of ${slot}` });
    this.words = make("span");
    $("change").append(this.words, make("button", { type: "button", textContent: t("wearer.seen"), onclick: () => { this.until = 0; this.#hide(); } }));
  }

  // Takes what the server says of the bed; returns whether anything is known of who is there.
  take({ known, subject, session, simulated, patient_since_us: since, label }, now) {
    this.#hide();
    if (!known) return;
    const here = { subject, session, simulated };
    const before = this.now ?? this.#seen();
    if (this.now && same(this.now, here, ["subject", "session", "simulated"])) return;
    const first = this.now === null;
    this.now = here;
    this.#remember(here);
    if (before && !same(before, here, ["subject", "simulated"])) this.#tell(label, before, here, since, now);
    else if (!first) this.#say(t("wearer.new_session_from_earlier_strides", { at: clock(now, false) }), SESSION_MS);
    if (!first) this.anew(before, here);
  }

  #tell(label, before, here, since, now) {
    const earlier = before.subject ? t("wearer.nothing_shown_any_more", { subject: before.subject }) : "";
    const ago = since ? now - since / 1e6 : 0;
    const at = since && clock(since / 1e6, false);
    const when = !since ? "" : ago < LONG_S ? t("wearer.since", { at }) : t("wearer.since_ago", { at, ago: duration(ago) });
    if (here.subject) this.#say(t("wearer.new_patient_in", { label, subject: here.subject, when, earlier }), PATIENT_MS);
    else this.#say(t("wearer.no_longer_nobody", { subject: before.subject, label }), PATIENT_MS);
  }

  // What stands of another patient is not replaced by the session that they begin, nor what is spoken of it by their numbers.
  #say(text, stays) {
    if (stays < this.stays && Date.now() <= this.until) return;
    say(this.words, text);
    $("change").hidden = false;
    this.stays = stays;
    this.until = Date.now() + stays;
    speak(text, { first: stays === PATIENT_MS });
  }

  #hide() {
    if (Date.now() > this.until) $("change").hidden = true;
  }

  // This tab may have shown the bed before: the page of somebody else must not be taken for the page that one knows.
  #seen() {
    try { return JSON.parse(sessionStorage.getItem(this.key)); } catch { return null; }
  }

  #remember(here) {
    try { sessionStorage.setItem(this.key, JSON.stringify(here)); } catch { /* no storage: no memory */ }
  }
}
