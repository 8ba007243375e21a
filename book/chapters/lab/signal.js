// Signals: a resampler, a Fourier transform. Part of serPage, as features.js and network.js are.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};

  // Modified Bessel function I0, by its series, for Kaiser's window.
  function bessel(x) {
    let sum = 1, term = 1;
    for (let k = 1; term > 1e-12 * sum; k += 1) sum += term *= (x / (2 * k)) ** 2;
    return sum;
  }

  function divisor(a, b) {
    return b ? divisor(b, a % b) : a;
  }

  // From one rate to another by a windowed sinc, phase by phase. push(samples) gives what is ready,
  // flush() the rest; together as many samples as the sound lasts. Of the lower rate's band, the
  // first 91 % pass unchanged (7.3 of 8 kHz), nothing beyond the band does (95 dB down).
  class Resampler {
    constructor(from, to) {
      const common = divisor(Math.round(from), Math.round(to));
      this.up = Math.round(to) / common;
      this.down = Math.round(from) / common;
      const edge = 0.5 * Math.min(1, to / from); // cycles a sample of the input
      this.cut = 0.9565 * edge;
      this.half = Math.ceil((95 - 8) / (2.285 * 2 * Math.PI * 0.087 * edge) / 2);
      this.phases = new Map();
      this.held = new Float64Array(this.half); // silence before the sound
      this.first = -this.half; // the sample of the input that held[0] is
      this.given = 0;
      this.taken = 0;
    }

    // Weights of the 2 half + 1 samples around an output that lies phase / up after one.
    weights(phase) {
      if (!this.phases.has(phase)) {
        const beta = 0.1102 * (95 - 8.7), whole = bessel(beta);
        const taps = new Float64Array(2 * this.half + 1);
        let sum = 0;
        for (let k = 0; k < taps.length; k += 1) {
          const t = k - this.half - phase / this.up, x = 2 * this.cut * t;
          const place = 1 - (t / (this.half + 1)) ** 2;
          const sinc = Math.abs(x) < 1e-9 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
          sum += taps[k] = sinc * bessel(beta * Math.sqrt(Math.max(0, place))) / whole;
        }
        this.phases.set(phase, taps.map(w => w / sum));
      }
      return this.phases.get(phase);
    }

    push(samples, last = false) {
      this.taken += samples.length;
      const before = this.held;
      const held = new Float64Array(before.length + samples.length + (last ? this.half + 1 : 0));
      held.set(before);
      held.set(samples, before.length);
      const end = last ? Math.round(this.taken * this.up / this.down) : Infinity;
      const out = [];
      for (; this.given < end; this.given += 1) {
        const place = this.given * this.down, start = Math.floor(place / this.up);
        const at = start - this.half - this.first;
        if (at + 2 * this.half + 1 > held.length) break;
        const taps = this.weights(place % this.up);
        let sum = 0;
        for (let k = 0; k < taps.length; k += 1) sum += taps[k] * held[at + k];
        out.push(sum);
      }
      const next = Math.floor(this.given * this.down / this.up) - this.half;
      this.held = held.slice(Math.max(0, Math.min(next - this.first, held.length)));
      this.first = Math.max(this.first, Math.min(next, this.first + held.length));
      return Float32Array.from(out);
    }

    flush() {
      return this.push(new Float32Array(0), true);
    }
  }

  function resample(samples, from, to = 16000) {
    if (from === to) return Float32Array.from(samples);
    const resampler = new Resampler(from, to);
    const parts = [resampler.push(samples), resampler.flush()];
    const out = new Float32Array(parts[0].length + parts[1].length);
    out.set(parts[0]);
    out.set(parts[1], parts[0].length);
    return out;
  }

  // Fourier transform of a power of two of numbers, in place (Cooley and Tukey).
  class Fourier {
    constructor(size) {
      this.size = size;
      this.swap = new Uint32Array(size);
      for (let k = 0; k < size; k += 1) {
        this.swap[k] = (this.swap[k >> 1] >> 1) | (k & 1 ? size >> 1 : 0);
      }
      this.cos = Float64Array.from({length: size / 2}, (_, k) => Math.cos(2 * Math.PI * k / size));
      this.sin = Float64Array.from({length: size / 2}, (_, k) => Math.sin(2 * Math.PI * k / size));
      this.re = new Float64Array(size);
      this.im = new Float64Array(size);
    }

    // Puts in what re(k) and im(k) give for place k.
    load(re, im) {
      for (let k = 0; k < this.size; k += 1) {
        const from = this.swap[k];
        this.re[k] = re(from);
        this.im[k] = im ? im(from) : 0;
      }
      return this;
    }

    run() {
      const {size, re, im, cos, sin} = this;
      for (let half = 1; half < size; half *= 2) {
        const step = size / (2 * half);
        for (let start = 0; start < size; start += 2 * half) {
          for (let k = 0; k < half; k += 1) {
            const a = start + k, b = a + half, c = cos[k * step], s = sin[k * step];
            const x = re[b] * c + im[b] * s, y = im[b] * c - re[b] * s;
            re[b] = re[a] - x;
            im[b] = im[a] - y;
            re[a] += x;
            im[a] += y;
          }
        }
      }
    }

    // Power (size / 2 + 1) of real samples, followed by zeros up to the size.
    power(samples, out) {
      const {size, re, im, swap} = this;
      for (let k = 0; k < size; k += 1) {
        re[k] = swap[k] < samples.length ? samples[swap[k]] : 0;
        im[k] = 0;
      }
      this.run();
      for (let k = 0; k <= size / 2; k += 1) out[k] = re[k] * re[k] + im[k] * im[k];
      return out;
    }
  }

  // A sound whose spectrum is multiplied by gain(hertz), by a transform of the whole of it.
  function filter(samples, rate, gain) {
    let size = 1;
    while (size <= samples.length + rate / 10) size *= 2;
    const forth = new Fourier(size).load(n => (n < samples.length ? samples[n] : 0));
    forth.run();
    const gains = Float64Array.from({length: size},
      (_, k) => gain(Math.min(k, size - k) * rate / size) / size);
    const back = new Fourier(size).load(k => gains[k] * forth.re[k], k => -gains[k] * forth.im[k]);
    back.run();
    return Float32Array.from(back.re.subarray(0, samples.length));
  }

  Object.assign(page, {Fourier, Resampler, filter, resample});
})();
