// An enrolment as Python does it: mean and deviation of a few calm sentences (ser.normalise.measure)
// take the place of the training corpus's in a network that has learnt so (ser.enrolled_model.model_for).
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};
  const FLOOR = 0.01, NEEDS = {'mfcc-lstm': ['mfcc'], 'ds-lstm': ['s1', 's2']};

  // Mean and deviation, float32, of each column over the rows of all matrices.
  function moments(matrices) {
    const [{columns}] = matrices, sum = new Float64Array(columns), squares = new Float64Array(columns);
    let rows = 0;
    for (const one of matrices) {
      rows += one.rows;
      one.values.forEach((v, k) => {
        const seen = Math.fround(v);
        sum[k % columns] += seen;
        squares[k % columns] += seen * seen;
      });
    }
    const mean = sum.map(v => v / rows);
    const deviation = squares.map((v, k) => Math.sqrt(Math.max(v / rows - mean[k] ** 2, 0)));
    return {mean: Float32Array.from(mean), deviation: Float32Array.from(deviation, v => Math.max(v, FLOOR))};
  }

  // Scales {mfcc, s1, s2} of waves at 16 kHz, over all their frames; an offset is taken away first.
  function measure({mfcc, mels: {s1, s2}}, waves) {
    const clean = waves.map(page.withoutOffset);
    return Object.fromEntries(Object.entries({mfcc, s1, s2}).map(
      ([name, of]) => [name, moments(clean.map(wave => of.of(wave)))]));
  }

  // The network as it hears the one whose scales these are.
  function enrolled(dual, scales) {
    const weights = {};
    for (const [branch, names] of Object.entries(NEEDS)) {
      weights[branch] = {...dual.weights[branch]};
      for (const name of names) {
        for (const [kind, values] of Object.entries(scales[name])) {
          weights[branch][`normalise/${name}/${kind}`] = {shape: [values.length], values};
        }
      }
    }
    return new page.Dual(weights);
  }

  const alike = (a, b) => a.length === b.length && a.every((v, n) => v === b[n]);

  // Why a wave is no further calm sentence beside others (null: none yet); '' if it is one.
  function unfit(wave, others) {
    if (wave.length < 400) return 'less than 25 ms of sound: too short for the network';
    if (page.silent(wave)) return 'silence tells no voice; give another calm sentence';
    const same = others.findIndex(one => one && alike(one, wave));
    return same < 0 ? '' : `this is the same sound as sentence ${same + 1}; give each once, others tell more`;
  }

  Object.assign(page, {alike, enrolled, measure, unfit});
})();
