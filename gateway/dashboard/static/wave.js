// The samples of one stream, as they come: a connection that opens anew by itself, and no more than the newest.

import { ROOT, ofGateway } from "./dom.js";
import { readFrame } from "./ring.js";

const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;
const SILENT_MS = 6000; // a stream that is watched sends several times a second
const CHECK_MS = 2000;

export class Wave {
  // `take(frame, device)` hears of every frame.
  constructor(device, stream, take) {
    Object.assign(this, { take, tries: 0, heard: Date.now() });
    this.address = new URL(ofGateway(`waveform/${encodeURIComponent(device)}/${encodeURIComponent(stream)}`), ROOT);
    this.address.protocol = this.address.protocol.replace("http", "ws");
    this.check = setInterval(() => { if (Math.abs(Date.now() - this.heard) > SILENT_MS) this.#again(); }, CHECK_MS);
    this.#open();
  }

  close() {
    clearInterval(this.check);
    this.#shut();
  }

  #open() {
    this.heard = Date.now();
    this.socket = new WebSocket(this.address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => {
      this.heard = Date.now();
      this.tries = 0;
      this.take(readFrame(data));
    };
    this.socket.onclose = () => this.#again();
  }

  #shut() {
    clearTimeout(this.timer);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  #again() {
    this.#shut();
    const wait = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** this.tries);
    this.tries += 1;
    this.heard = Date.now() + wait;
    this.timer = setTimeout(() => this.#open(), wait * (0.5 + Math.random() / 2));
  }
}
