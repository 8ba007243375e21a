// An enrolment against Python's; tests/test_lab_enrol.py writes the cases.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const {test} = require('node:test');
require('./load.js');

const given = process.env.SER_ENROL_CASES;
const numbers = text => {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const worst = (a, b) => {
  assert.equal(a.length, b.length);
  return a.reduce((w, v, k) => Math.max(w, Math.abs(v - b[k])), 0);
};
const tone = (size, hertz = 300) => Float32Array.from({length: 16000},
  (_, n) => size * Math.sin(2 * Math.PI * hertz * n / 16000));

test('a told voice is heard as Python hears it', {skip: given ? false : 'no cases'}, async t => {
  const {model, voices} = JSON.parse(fs.readFileSync(given, 'utf8'));
  const untold = new serPage.Dual(serPage.unpack(model));
  for (const voice of voices) {
    await t.test(voice.name, () => {
      const scales = serPage.measure(untold, voice.calm.map(numbers));
      for (const [name, [mean, deviation]] of Object.entries(voice.scales)) {
        assert.ok(worst(scales[name].mean, numbers(mean)) < 2e-3, `${name}, mean`);
        assert.ok(worst(scales[name].deviation, numbers(deviation)) < 2e-3, `${name}, deviation`);
      }
      const dual = serPage.enrolled(untold, scales);
      for (const {wave, branches} of voice.asked) {
        const heard = dual.hear(serPage.withoutOffset(numbers(wave)));
        for (const [branch, logits] of Object.entries(branches)) {
          assert.ok(worst(heard.branches[branch], logits) < 1e-3, branch);
        }
      }
    });
  }
});

test('a dimension that never moves keeps the least deviation', () => {
  const of = () => ({rows: 2, columns: 2, values: Float64Array.of(1, 5, 3, 5)});
  const {mfcc} = serPage.measure({mfcc: {of}, mels: {s1: {of}, s2: {of}}},
    [tone(0.1), tone(0.2)]);
  assert.deepEqual([...mfcc.mean], [2, 5]);
  assert.deepEqual([...mfcc.deviation], [1, Math.fround(0.01)]);
});

test('silence, a sound that was given, and a moment are no calm sentence', () => {
  const calm = [tone(0.1), null, tone(0.1, 200)];
  assert.equal(serPage.unfit(tone(0.2), calm), '');
  assert.match(serPage.unfit(new Float32Array(16000).fill(0.02), calm), /silence tells no voice/);
  assert.match(serPage.unfit(tone(0.1, 200), calm), /same sound as sentence 3/);
  assert.match(serPage.unfit(tone(0.1).slice(0, 399), calm), /too short/);
});

test('a network keeps its own voice when another is told', () => {
  const scale = v => ({mean: Float32Array.of(v), deviation: Float32Array.of(1)});
  const untold = {weights: {'mfcc-lstm': {a: 1}, 'ds-lstm': {b: 2}}};
  const [one, two] = [3, 4].map(v => serPage.enrolled(untold, {mfcc: scale(v), s1: scale(v), s2: scale(v)}));
  assert.equal(one.weights['mfcc-lstm']['normalise/mfcc/mean'].values[0], 3);
  assert.equal(two.weights['ds-lstm']['normalise/s2/mean'].values[0], 4);
  assert.deepEqual(untold.weights, {'mfcc-lstm': {a: 1}, 'ds-lstm': {b: 2}});
});
