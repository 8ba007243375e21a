// What the networks hear, as ser.features computes it: two mel-spectrograms in dB, 39 MFCCs.
// A matrix is {rows, columns, values}: numbers row by row.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};
  const RATE = 16000, SCALE = 32768;

  const matrix = (rows, columns) => ({rows, columns, values: new Float64Array(rows * columns)});

  // Slaney's mel scale: linear below 1000 Hz (15 mel), logarithmic above.
  const hzToMel = hz => (hz < 1000 ? hz * 3 / 200 : 15 + 27 * Math.log(hz / 1000) / Math.log(6.4));
  const melToHz = mel => (mel < 15 ? mel * 200 / 3 : 1000 * 6.4 ** ((mel - 15) / 27));

  // Triangles between corners, over the bins of a spectrum: for each band its first bin and weights.
  function triangles(corners, bins, height, from = 0) {
    const bands = [];
    for (let b = 0; b + 2 < corners.length; b += 1) {
      const weights = [];
      let first = -1;
      for (let k = from; k < bins.length; k += 1) {
        const up = (bins[k] - corners[b]) / (corners[b + 1] - corners[b]);
        const down = (corners[b + 2] - bins[k]) / (corners[b + 2] - corners[b + 1]);
        const weight = Math.min(up, down);
        if (weight <= 0) continue;
        if (first < 0) first = k;
        weights.push(Math.fround(weight * height(corners[b], corners[b + 2])));
      }
      bands.push({first: Math.max(first, 0), weights: Float64Array.from(weights)});
    }
    return bands;
  }

  function bandLogs(power, bands, floor, scale, out, at) {
    for (let b = 0; b < bands.length; b += 1) {
      const {first, weights} = bands[b];
      let sum = 0;
      for (let k = 0; k < weights.length; k += 1) sum += weights[k] * power[first + k];
      out[at + b] = scale * Math.log(sum <= floor ? floor : sum);
    }
  }

  const steps = (count, top) => Array.from({length: count}, (_, k) => k * top / (count - 1));

  // A mel-spectrogram (frames, n_fft / 4) in dB: periodic Hann window, hop half of it, frames
  // centred on multiples of the hop with zeros beyond the ends, powers from 1e-10.
  class Mel {
    constructor(nFft) {
      this.nFft = nFft;
      this.hop = nFft / 2;
      this.bands = nFft / 4;
      this.fourier = new page.Fourier(nFft);
      this.window = Float64Array.from({length: nFft},
        (_, k) => 0.5 - 0.5 * Math.cos(2 * Math.PI * k / nFft));
      const bins = Array.from({length: nFft / 2 + 1}, (_, k) => k * RATE / nFft);
      const corners = steps(this.bands + 2, hzToMel(RATE / 2)).map(melToHz);
      this.bank = triangles(corners, bins, (low, high) => 2 / (high - low));
      this.frame = new Float64Array(nFft);
      this.power = new Float64Array(nFft / 2 + 1);
    }

    // Column t of the spectrogram of a wave, written to out from index at.
    column(wave, t, out, at) {
      const start = t * this.hop - this.hop;
      for (let k = 0; k < this.nFft; k += 1) {
        const n = start + k;
        this.frame[k] = n >= 0 && n < wave.length ? SCALE * wave[n] * this.window[k] : 0;
      }
      this.fourier.power(this.frame, this.power);
      bandLogs(this.power, this.bank, 1e-10, 10 / Math.LN10, out, at);
    }

    of(wave) {
      const out = matrix(1 + Math.floor(wave.length / this.hop), this.bands);
      for (let t = 0; t < out.rows; t += 1) this.column(wave, t, out.values, t * this.bands);
      return out;
    }
  }

  // MFCC12_E_D_A: frames of 400 samples every 160, as ser.features.mfcc tells step by step.
  const FRAME = 400, HOP = 160, N_FFT = 512, BANDS = 26, CEPSTRA = 12;

  class MFCC {
    constructor() {
      this.fourier = new page.Fourier(N_FFT);
      this.window = Float64Array.from({length: FRAME},
        (_, k) => 0.54 - 0.46 * Math.cos(2 * Math.PI * k / (FRAME - 1)));
      const bins = Array.from({length: N_FFT / 2 + 1},
        (_, k) => 1127 * Math.log1p(k * RATE / N_FFT / 700));
      this.bank = triangles(steps(BANDS + 2, bins.at(-1)), bins, () => 1, 1);
      this.cosines = Array.from({length: CEPSTRA}, (_, i) => {
        const lifter = Math.sqrt(2 / BANDS) * (1 + 11 * Math.sin(Math.PI * (i + 1) / 22));
        return Float64Array.from({length: BANDS},
          (__, b) => lifter * Math.cos(Math.PI * (i + 1) / BANDS * (b + 0.5)));
      });
      this.frame = new Float64Array(FRAME);
      this.power = new Float64Array(N_FFT / 2 + 1);
      this.logs = new Float64Array(BANDS);
    }

    of(wave) {
      const frames = 1 + Math.floor((wave.length - FRAME) / HOP), width = CEPSTRA + 1;
      const base = matrix(frames, width);
      for (let t = 0; t < frames; t += 1) {
        let energy = 0, before = wave[t * HOP] * SCALE;
        for (let k = 0; k < FRAME; k += 1) {
          const now = wave[t * HOP + k] * SCALE;
          energy += now * now;
          this.frame[k] = (now - 0.97 * before) * this.window[k];
          before = now;
        }
        this.fourier.power(this.frame, this.power);
        bandLogs(this.power, this.bank, 1, 1, this.logs, 0);
        for (let i = 0; i < CEPSTRA; i += 1) {
          let sum = 0;
          for (let b = 0; b < BANDS; b += 1) sum += this.cosines[i][b] * this.logs[b];
          base.values[t * width + i] = sum;
        }
        base.values[t * width + CEPSTRA] = Math.log(Math.max(energy, 1));
      }
      return withDeltas(base);
    }
  }

  // (T, 13) -> (T, 39): slopes over two frames a side, and the slopes' own.
  function withDeltas({rows, columns, values}) {
    const out = matrix(rows, 3 * columns);
    const at = (t, i) => values[Math.min(Math.max(t, 0), rows - 1) * columns + i];
    const slope = (of, t, i) => (of(t + 1, i) - of(t - 1, i) + 2 * (of(t + 2, i) - of(t - 2, i))) / 10;
    const delta = (t, i) => slope(at, Math.max(t, 0), i); // before the first its own, as openSMILE
    for (let t = 0; t < rows; t += 1) {
      for (let i = 0; i < columns; i += 1) {
        const place = t * 3 * columns + i;
        out.values[place] = at(t, i);
        out.values[place + columns] = delta(t, i);
        out.values[place + 2 * columns] = slope(delta, t, i);
      }
    }
    return out;
  }

  Object.assign(page, {Mel, MFCC, hzToMel, matrix, RATE});
})();
