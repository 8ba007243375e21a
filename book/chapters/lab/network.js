// The shipped `dual`: MFCC LSTM and DS-LSTM, their logits averaged (ser.nn, in evaluation mode).
// Weights are {name: {shape, values}} by the names that the package gives them.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};
  const EPS = 1e-5;
  const sigmoid = v => 1 / (1 + Math.exp(-v));

  // out[r] = bias[r] + sum over columns of weight[r, c] * input[c]; input may come in parts.
  function affine(weight, bias, parts, out) {
    const [rows, columns] = weight.shape, w = weight.values;
    for (let r = 0; r < rows; r += 1) {
      let sum = bias ? bias.values[r] : 0, at = r * columns;
      for (let p = 0; p < parts.length; p += 1) {
        const part = parts[p], length = part.length;
        for (let k = 0; k < length; k += 1) sum += w[at + k] * part[k];
        at += length;
      }
      out[r] = sum;
    }
    return out;
  }

  const row = (m, t) => m.values.subarray(t * m.columns, (t + 1) * m.columns);

  function meanOverTime({rows, columns, values}) {
    const mean = new Float64Array(columns);
    for (let k = 0; k < values.length; k += 1) mean[k % columns] += values[k] / rows;
    return mean;
  }

  // Every number less its dimension's mean, over its deviation on the training side.
  function normalised({rows, columns, values}, mean, deviation) {
    const out = page.matrix(rows, columns);
    for (let k = 0; k < values.length; k += 1) {
      out.values[k] = (values[k] - mean.values[k % columns]) / deviation.values[k % columns];
    }
    return out;
  }

  // Place i of the squashed time takes frame floor(i * T / size).
  function squash(m, size) {
    const out = page.matrix(size, m.columns), scale = Math.fround(m.rows / size);
    for (let i = 0; i < size; i += 1) {
      const t = Math.min(Math.floor(Math.fround(i * scale)), m.rows - 1);
      out.values.set(row(m, t), i * m.columns);
    }
    return out;
  }

  // torch's LSTM, one layer: rows of the weights are the gates i, f, g, o.
  function lstmLayer(weights, name, layer, input) {
    const of = kind => weights[`${name}.${kind}_l${layer}`];
    const [size, hidden] = of('weight_hh').shape, out = page.matrix(input.rows, hidden);
    const gates = new Float64Array(size), more = new Float64Array(size);
    const h = new Float64Array(hidden), c = new Float64Array(hidden);
    for (let t = 0; t < input.rows; t += 1) {
      affine(of('weight_ih'), of('bias_ih'), [row(input, t)], gates);
      affine(of('weight_hh'), of('bias_hh'), [h], more);
      for (let k = 0; k < size; k += 1) gates[k] += more[k];
      for (let u = 0; u < hidden; u += 1) {
        const i = gates[u], f = gates[hidden + u], g = gates[2 * hidden + u];
        c[u] = sigmoid(f) * c[u] + sigmoid(i) * Math.tanh(g);
        h[u] = sigmoid(gates[3 * hidden + u]) * Math.tanh(c[u]);
      }
      out.values.set(h, t * hidden);
    }
    return out;
  }

  // Convolution, batch norm, 2x2 maximum, ReLU. A picture is {channels, bands, frames, values}.
  function convBlock(weights, name, picture) {
    const {values: w, shape: [outputs, inputs, high, wide]} = weights[`${name}.conv.weight`];
    const norm = kind => weights[`${name}.norm.${kind}`].values;
    const padB = (high - 1) >> 1, padT = (wide - 1) >> 1, {bands, frames, values: seen} = picture;
    const tall = bands + 2 * padB - high + 1, long = frames + 2 * padT - wide + 1;
    const half = {channels: outputs, bands: tall >> 1, frames: long >> 1};
    half.values = new Float64Array(outputs * half.bands * half.frames);
    const sums = new Float64Array(tall * long);
    for (let o = 0; o < outputs; o += 1) {
      sums.fill(weights[`${name}.conv.bias`].values[o]);
      for (let c = 0; c < inputs; c += 1) {
        for (let i = 0; i < high; i += 1) {
          for (let j = 0; j < wide; j += 1) {
            const weight = w[((o * inputs + c) * high + i) * wide + j];
            const first = Math.max(0, padT - j), last = Math.min(long, frames + padT - j);
            for (let b = Math.max(0, padB - i); b < Math.min(tall, bands + padB - i); b += 1) {
              const from = (c * bands + b + i - padB) * frames + j - padT, to = b * long;
              for (let t = first; t < last; t += 1) sums[to + t] += weight * seen[from + t];
            }
          }
        }
      }
      const scale = norm('weight')[o] / Math.sqrt(norm('running_var')[o] + EPS);
      const shift = norm('bias')[o] - norm('running_mean')[o] * scale;
      for (let b = 0; b < half.bands; b += 1) {
        for (let t = 0; t < half.frames; t += 1) {
          const at = 2 * b * long + 2 * t;
          const above = Math.max(scale * sums[at], scale * sums[at + 1]);
          const below = Math.max(scale * sums[at + long], scale * sums[at + long + 1]);
          half.values[(o * half.bands + b) * half.frames + t] =
            Math.max(0, Math.max(above, below) + shift);
        }
      }
    }
    return half;
  }

  // A spectrogram (frames, bands) as a sequence (steps, channels * bands).
  function frontEnd(weights, name, {rows, columns, values}) {
    const picture = {channels: 1, bands: columns, frames: rows};
    picture.values = new Float64Array(values.length);
    for (let t = 0; t < rows; t += 1) {
      for (let b = 0; b < columns; b += 1) picture.values[b * rows + t] = values[t * columns + b];
    }
    const seen = convBlock(weights, `${name}.blocks.1`, convBlock(weights, `${name}.blocks.0`, picture));
    const out = page.matrix(seen.frames, seen.channels * seen.bands);
    for (let f = 0; f < out.columns; f += 1) {
      for (let t = 0; t < out.rows; t += 1) out.values[t * out.columns + f] = seen.values[f * out.rows + t];
    }
    return out;
  }

  // x has about twice the steps of y: means over three steps of x, every second step.
  function align(x, y) {
    const count = Math.min(y.rows, (x.rows >> 1) - 1), out = page.matrix(count, x.columns);
    for (let t = 0; t < count; t += 1) {
      const three = [0, 1, 2].map(k => row(x, 2 * t + k));
      for (let f = 0; f < x.columns; f += 1) {
        out.values[t * x.columns + f] = (three[0][f] + three[1][f] + three[2][f]) / 3;
      }
    }
    return [out, {rows: count, columns: y.columns, values: y.values.subarray(0, count * y.columns)}];
  }

  // One layer of the DS-LSTM with the release's norms: f, iT, o, iF; c = f c + iT gT + iF gF.
  function dsLayer(weights, name, x, y) {
    const of = kind => weights[`${name}.${kind}`], hidden = of('cell.W_T').shape[0];
    const last = of('gate_norm.running_mean').shape[0] - 1, size = 4 * hidden;
    const mean = of('gate_norm.running_mean').values, variance = of('gate_norm.running_var').values;
    const out = page.matrix(x.rows, hidden), iT = page.matrix(x.rows, hidden);
    const iF = page.matrix(x.rows, hidden);
    const gates = new Float64Array(size), h = new Float64Array(hidden), c = new Float64Array(hidden);
    const gT = new Float64Array(hidden), gF = new Float64Array(hidden);
    const kept = kind => of(`output_norm.${kind}`).values;
    for (let t = 0; t < x.rows; t += 1) {
      const [xt, yt, at] = [row(x, t), row(y, t), Math.min(t, last) * size];
      affine(of('cell.W'), of('cell.b'), [xt, yt, h], gates);
      affine(of('cell.W_T'), of('cell.b_T'), [xt, h], gT);
      affine(of('cell.W_F'), of('cell.b_F'), [yt, h], gF);
      for (let k = 0; k < size; k += 1) {
        gates[k] = of('gate_norm.weight').values[k] * (sigmoid(gates[k]) - mean[at + k]) /
          Math.sqrt(variance[at + k] + EPS) + of('gate_norm.bias').values[k];
      }
      for (let u = 0; u < hidden; u += 1) {
        const f = gates[u], gateT = gates[hidden + u], gateF = gates[3 * hidden + u];
        c[u] = f * c[u] + gateT * Math.tanh(gT[u]) + gateF * Math.tanh(gF[u]);
        h[u] = gates[2 * hidden + u] * Math.tanh(c[u]);
        iT.values[t * hidden + u] = gateT;
        iF.values[t * hidden + u] = gateF;
        out.values[t * hidden + u] = kept('weight')[u] * (h[u] - kept('running_mean')[u]) /
          Math.sqrt(kept('running_var')[u] + EPS) + kept('bias')[u];
      }
    }
    return {out, iT, iF};
  }

  function softmax(logits) {
    const top = Math.max(...logits), powers = Array.from(logits, v => Math.exp(v - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map(v => v / sum);
  }

  const FRAMES = {s1: 230, s2: 120}, SHORTEST = 400;

  class Dual {
    constructor(weights) {
      this.weights = weights;
      this.mels = {s1: new page.Mel(512), s2: new page.Mel(1024)};
      this.mfcc = new page.MFCC();
    }

    scaled(branch, name, features) {
      const of = kind => this.weights[branch][`normalise/${name}/${kind}`];
      return normalised(features, of('mean'), of('deviation'));
    }

    mfccBranch(wave) {
      const weights = this.weights['mfcc-lstm'];
      let steps = this.scaled('mfcc-lstm', 'mfcc', this.mfcc.of(wave));
      for (const layer of [0, 1]) steps = lstmLayer(weights, 'lstm', layer, steps);
      return affine(weights['linear.weight'], weights['linear.bias'], [meanOverTime(steps)],
        new Float64Array(4));
    }

    dsBranch(wave) {
      const weights = this.weights['ds-lstm'], pair = {}, seen = {};
      for (const [name, front] of [['s1', 'front1'], ['s2', 'front2']]) {
        pair[name] = this.mels[name].of(wave);
        const given = squash(this.scaled('ds-lstm', name, pair[name]), FRAMES[name]);
        seen[name] = frontEnd(weights, front, given);
      }
      const [x, y] = align(seen.s1, seen.s2);
      const first = dsLayer(weights, 'lstm.layers.0', x, y);
      const second = dsLayer(weights, 'lstm.layers.1', first.out, y);
      const logits = affine(weights['linear.weight'], weights['linear.bias'],
        [meanOverTime(second.out)], new Float64Array(4));
      return {logits, ...pair, iT: first.iT, iF: first.iF};
    }

    // A wave at 16 kHz, mono, within -1..1: {logits, probabilities, branches, s1, s2, iT, iF}.
    hear(wave) {
      if (wave.length < SHORTEST) throw new RangeError(`${wave.length} samples are too short`);
      const {logits, ...seen} = this.dsBranch(wave), mfcc = this.mfccBranch(wave);
      const mean = Array.from(logits, (v, k) => (v + mfcc[k]) / 2);
      const branches = {'mfcc-lstm': Array.from(mfcc), 'ds-lstm': Array.from(logits)};
      return {logits: mean, probabilities: softmax(mean), branches, ...seen};
    }
  }

  // Weights as model.py packs them: one string of little-endian float32, and a list of shapes.
  function unpack({shapes, packed}) {
    const text = atob(packed.replace(/^base64,/, '')), bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k += 1) bytes[k] = text.charCodeAt(k);
    const view = new DataView(bytes.buffer), weights = {};
    let at = 0;
    for (const [branch, name, shape] of shapes) {
      const count = shape.reduce((a, b) => a * b, 1), values = new Float64Array(count);
      for (let k = 0; k < count; k += 1, at += 4) values[k] = view.getFloat32(at, true);
      (weights[branch] ??= {})[name] = {shape, values};
    }
    return weights;
  }

  Object.assign(page, {Dual, softmax, unpack});
})();
