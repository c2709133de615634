// One connection to the server that heals: what ends, or falls silent, is opened anew.
//
// It is a WebSocket: a browser opens six other connections to a host at one time, and a tab that waits for the seventh
// shows nothing. Where a proxy does not pass WebSockets on, the same is read as a plain stream, only while it is seen.

import { ROOT } from "./dom.js";

const QUIET_MS = 6000; // the server speaks twice a second: after so long without a word the connection is dead
const OPEN_MS = 8000;
const LATE_MS = 5000; // a message that was under way for longer comes from a connection that had stood still
const DRIFT = 2e-4; // two clocks differ by less than this share
const LONGEST_WAIT_MS = 15000;
const FIRST_WAIT_MS = 1000;
const CHECK_MS = 1000;
const POOL = 6; // connections that a browser keeps to one host
const PROBE_MS = 2000;
const PREFIX = "data: ";

const ignore = () => {};

export class Link {
  // `take` is given each state and how many seconds it was under way; `refused` what the server says instead of one.
  constructor(path, take, refused) {
    Object.assign(this, { address: new URL(path, ROOT), take, refused, tries: 0, stopped: false, end: ignore, timer: 0 });
    for (const sign of ["online", "pageshow", "focus"]) addEventListener(sign, () => this.#wake());
    for (const sign of ["visibilitychange", "resume"]) document.addEventListener(sign, () => this.#wake());
    setInterval(() => this.#check(), CHECK_MS);
    this.#open();
  }

  // Two clocks: one stands still while a tablet sleeps, the other jumps when it is set.
  #silent() {
    return Math.max(performance.now() - this.heard, Date.now() - this.heardDate);
  }

  #mark() {
    this.heard = performance.now();
    this.heardDate = Date.now();
  }

  #check() {
    if (document.hidden && this.plain) this.#close(); // a tab that nobody sees leaves its place to the others
    else if (this.connected && this.#silent() > (this.fresh ? OPEN_MS : QUIET_MS)) this.#again();
  }

  #wake() {
    if (document.hidden) return;
    if (this.connected && this.#silent() < QUIET_MS / 2) return;
    this.tries = 0;
    this.stopped = false;
    this.#close();
    this.#open();
  }

  #close() {
    clearTimeout(this.timer);
    this.connected = false;
    this.plain = false;
    const end = this.end;
    this.end = ignore;
    end();
  }

  #again() {
    this.#close();
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries);
    this.tries += 1;
    this.timer = setTimeout(() => this.#open(), wait * (0.5 + Math.random() / 2)); // not all pages at one time
  }

  #open() {
    if (window.failure.failed) return;
    this.#close();
    this.connected = true;
    this.fresh = true;
    this.#mark();
    if (this.stopped) { // what passes no WebSocket passes none the next time, and a browser delays each further try
      this.#openPlain();
      return;
    }
    const address = new URL(this.address);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    let opened = false;
    this.end = () => {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    };
    socket.onopen = () => { opened = true; };
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = () => {
      if (opened) this.#again();
      else this.#openPlain();
    };
  }

  async #openPlain() {
    const control = new AbortController();
    this.end = () => control.abort();
    this.plain = true;
    this.#mark();
    try {
      if (this.tries) await Promise.all(Array.from({ length: POOL }, () => this.#probe()));
      this.#mark();
      const response = await fetch(this.address, { cache: "no-store", signal: control.signal });
      if (response.ok) await this.#read(response.body.pipeThrough(new TextDecoderStream()).getReader(), control);
      else if (!control.signal.aborted) this.refused(response.status, await response.text());
    } catch { /* not there, or ended by us */ }
    if (!control.signal.aborted) this.#again();
  }

  // A browser keeps some connections for its next questions; those that have died too would each take one try. It asks
  // for what it may store only once at a time, however often it is told to: so `no-store`.
  async #probe() {
    await fetch(new URL("api/session", ROOT), { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) }).catch(ignore);
  }

  async #read(reader, control) {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done || control.signal.aborted) return;
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const part of parts) if (part.startsWith(PREFIX)) this.#hear(part.slice(PREFIX.length));
    }
  }

  #hear(data) {
    const state = JSON.parse(data);
    const late = this.#lateness(state.sent_ms);
    if (late > LATE_MS) return this.#again(); // what had been waiting somewhere is no news
    this.fresh = false;
    this.#mark();
    this.tries = 0;
    this.stopped = this.plain; // a WebSocket was tried before, and did not open
    return this.take(state, late / 1000);
  }

  // How much longer than the quickest one a message was under way; the first of a connection was made for it.
  #lateness(sent) {
    if (typeof sent !== "number") return 0;
    const ahead = sent - Date.now();
    const since = Date.now() - this.heardDate;
    this.ahead = this.fresh ? ahead : Math.max(ahead, this.ahead - Math.abs(since) * DRIFT);
    return this.ahead - ahead;
  }
}
