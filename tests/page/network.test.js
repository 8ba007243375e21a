// Features and logits against Python's; tests/test_lab_page.py writes the cases.
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const {test} = require('node:test');
require('./load.js');

const given = process.env.SER_PAGE_CASES;
const numbers = text => {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const worst = (a, b) => {
  assert.equal(a.length, b.length);
  return a.reduce((w, v, k) => Math.max(w, Math.abs(v - b[k])), 0);
};

test('the page says what Python says', {skip: given ? false : 'no cases'}, async t => {
  const {model, cases} = JSON.parse(fs.readFileSync(given, 'utf8'));
  const dual = new serPage.Dual(serPage.unpack(model));
  assert.ok(cases.length >= 10);
  for (const one of cases) {
    await t.test(one.name, () => {
      const wave = numbers(one.wave), heard = dual.hear(wave);
      for (const name of ['s1', 's2']) {
        assert.ok(worst(heard[name].values, numbers(one[name])) < 0.02, `${name}, dB`);
      }
      assert.ok(worst(dual.mfcc.of(wave).values, numbers(one.mfcc)) < 0.02, 'MFCC');
      for (const gate of ['iT', 'iF']) {
        assert.ok(worst(heard[gate].values, numbers(one[gate])) < 1e-3, gate);
      }
      for (const [branch, logits] of Object.entries(one.branches)) {
        assert.ok(worst(heard.branches[branch], logits) < 1e-3, branch);
      }
      assert.ok(worst(heard.probabilities, one.probabilities) < 1e-3, 'probabilities');
    });
  }
});

test('of less than one frame it says that it is too short', () => {
  const dual = new serPage.Dual({});
  assert.throws(() => dual.hear(new Float32Array(399)), /399 samples are too short/);
});
