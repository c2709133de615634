// One number from the samples of one sensor, with no more delay than they have: how far a segment leans, how fast it turns.

const G = 9.81; // m/s2
const NEAR_G = 0.15; // share: a sensor that is thrown about says nothing of where down is
const SETTLES_S = 1.0; // the gyroscope alone drifts: so soon gravity has the last word
const BEGIN_S = 0.5; // of stillness is meant by "from here"
const DEGREES = 180 / Math.PI;

const length = ([x, y, z]) => Math.hypot(x, y, z);
const scaled = (v, by) => v.map((x) => x * by);

// Where down is, as the sensor sees it: turned along with the gyroscope, and drawn slowly towards what it weighs.
export class Lean {
  constructor() {
    this.down = null;
    this.begin();
  }

  // The angle is told from where the sensor is now.
  begin() {
    this.from = null;
    this.held = 0;
  }

  add(acc, turn, dt) {
    const weight = length(acc);
    if (!this.down) {
      if (weight === 0) return null;
      this.down = scaled(acc, 1 / weight);
    }
    const [x, y, z] = this.down;
    const [p, q, r] = turn;
    this.down = [x + (y * r - z * q) * dt, y + (z * p - x * r) * dt, z + (x * q - y * p) * dt];
    if (Math.abs(weight - G) < NEAR_G * G) {
      const share = Math.min(1, dt / SETTLES_S);
      this.down = this.down.map((part, i) => part + share * (acc[i] / weight - part));
    }
    this.down = scaled(this.down, 1 / length(this.down));
    this.held += dt;
    if (!this.from && this.held >= BEGIN_S) this.from = this.down;
    if (!this.from) return null;
    const cosine = this.down.reduce((sum, part, i) => sum + part * this.from[i], 0);
    return Math.acos(Math.min(1, Math.max(-1, cosine))) * DEGREES;
  }
}

const AXES = ["x", "y", "z"];

// Where a kind of feedback finds its samples among what is worn: {device, stream, columns …}, or null.
export function sourceOf({ kind, of }, devices) {
  for (const device of devices) {
    for (const [name, stream] of Object.entries(device.streams ?? {})) {
      if (!stream.rate_hz) continue;
      const at = (channel) => stream.channels.indexOf(channel);
      if (kind === "joint" && at(of) >= 0) return { device, stream: name, column: at(of), unit: stream.units[at(of)] };
      if (device.placement !== of || kind === "joint") continue;
      const acc = AXES.map((axis) => at(`acc_${axis}`));
      const gyr = AXES.map((axis) => at(`gyr_${axis}`));
      if ([...acc, ...gyr].some((column) => column < 0)) continue;
      return { device, stream: name, acc, gyr, toRadians: stream.units[gyr[0]] === "rad/s" ? 1 : 1 / DEGREES };
    }
  }
  return null;
}

// Makes of frames the newest value and when it was: {value, at} in seconds of the gateway's clock; null until there is one.
export class Movement {
  constructor(chosen, source) {
    Object.assign(this, { chosen, source, lean: new Lean(), newest: null });
  }

  begin() {
    this.lean.begin();
  }

  take({ samples, channels, rate, start, values }) {
    for (let i = 0; i < samples; i += 1) {
      const value = this.#value((column) => values[i * channels + column], 1 / rate);
      if (value !== null && !Number.isNaN(value)) this.newest = { value, at: start + i / rate };
    }
  }

  #value(sample, dt) {
    const { column, acc, gyr, toRadians } = this.source;
    if (column !== undefined) return sample(column);
    const turn = gyr.map((one) => sample(one) * toRadians);
    if (turn.some(Number.isNaN)) return null; // lost on the way
    if (this.chosen.kind === "turning") return length(turn) * DEGREES;
    const weight = acc.map(sample);
    return weight.some(Number.isNaN) ? null : this.lean.add(weight, turn, dt);
  }
}
