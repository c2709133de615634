// The last seconds of one channel in two arrays of fixed size, as the plot reads them: times and values, null in gaps.

const HEADER = 16; // bytes: version u8, channels u8, samples u16, rate f32, time of the first sample i64
const GAP = 1.5; // sample periods: a step longer than this is a gap

export function readFrame(buffer) {
  const view = new DataView(buffer);
  const channels = view.getUint8(1);
  return {
    channels,
    samples: view.getUint16(2, true),
    rate: view.getFloat32(4, true),
    start: Number(view.getBigInt64(8, true)) / 1e6,
    values: new Float32Array(buffer, HEADER),
  };
}

export class Ring {
  constructor(seconds, rate) {
    this.seconds = seconds;
    this.rate = rate;
    const size = Math.ceil(seconds * rate * 1.1) + 2;
    this.times = new Array(size);
    this.values = new Array(size).fill(null);
    this.end = null;
  }

  push({ samples, channels, rate, start, values }, channel, factor = 1) {
    if (this.end === null) this.#begin(start);
    if (start + samples / rate <= this.end) return; // older than what we have
    if (start - this.end > GAP / rate) this.#append([this.end + 1 / rate], [null]);
    const times = [];
    const column = [];
    for (let i = 0; i < samples; i += 1) {
      const time = start + i / rate;
      if (time <= this.end) continue;
      const value = values[i * channels + channel];
      times.push(time);
      column.push(Number.isNaN(value) || value === undefined ? null : value * factor);
    }
    this.#append(times, column);
  }

  // Least and greatest value and number of missing samples since `from`.
  extent(from) {
    let low = Infinity;
    let high = -Infinity;
    let missing = 0;
    for (let i = this.values.length - 1; i >= 0 && this.times[i] >= from; i -= 1) {
      const value = this.values[i];
      if (value === null) missing += 1;
      else {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return { low, high, missing };
  }

  #begin(start) {
    const size = this.times.length;
    for (let i = 0; i < size; i += 1) this.times[i] = start - (size - i) / this.rate;
    this.end = this.times[size - 1];
  }

  #append(times, values) {
    const size = this.times.length;
    const n = Math.min(times.length, size);
    if (n === 0) return;
    this.times.copyWithin(0, n);
    this.values.copyWithin(0, n);
    for (let i = 0; i < n; i += 1) {
      this.times[size - n + i] = times[times.length - n + i];
      this.values[size - n + i] = values[values.length - n + i];
    }
    this.end = this.times[size - 1];
  }
}
