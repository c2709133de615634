// How soon a movement is on the screen, and how often the screen is painted: measured here, on the frame that showed it.

import { t } from "./texts.js";

const KEPT = 600; // values: half a minute at twenty a second
const SECOND_MS = 1000;

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

export class Pace {
  constructor() {
    this.delays = [];
    this.frames = [];
  }

  frame(time) {
    this.frames.push(time);
    while (this.frames[0] < time - SECOND_MS) this.frames.shift();
  }

  // `sample` is when the sample was taken, `painted` when the frame with it was, both in seconds of the gateway's clock.
  painted(sample, painted) {
    this.delays.push(painted - sample);
    if (this.delays.length > KEPT) this.delays.shift();
  }

  rows() {
    const sorted = [...this.delays].sort((a, b) => a - b);
    const ms = (share) => (sorted.length ? `${Math.round(quantile(sorted, share) * 1000)} ms` : t("pace.not_measured_yet"));
    return [
      [t("pace.half_values_within"), ms(0.5)], [t("pace.n95_within"), ms(0.95)], [t("pace.values_measured"), String(sorted.length)],
      [t("pace.frames_last_second"), String(this.frames.length)],
    ];
  }
}
