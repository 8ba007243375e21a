// Run by node's own test runner: node --test tests/page (tests/test_lab_page.py does).
'use strict';
const assert = require('node:assert/strict');
const {test} = require('node:test');
require('./load.js');

const tone = (hertz, rate, seconds = 1) => Float32Array.from(
  {length: rate * seconds}, (_, n) => Math.sin(2 * Math.PI * hertz * n / rate));
const decibels = wave => 10 * Math.log10(2 * wave.reduce((s, v) => s + v * v, 0) / wave.length);
const middle = wave => wave.slice(2000, -2000);

for (const rate of [44100, 48000, 96000, 22050]) {
  test(`from ${rate} Hz: flat to 7 kHz, nothing folds down`, () => {
    for (const hertz of [100, 1000, 5000, 7000]) {
      assert.ok(Math.abs(decibels(middle(serPage.resample(tone(hertz, rate), rate)))) < 0.01, hertz);
    }
    for (const hertz of [8200, 9000, 10500]) {
      assert.ok(decibels(middle(serPage.resample(tone(hertz, rate), rate))) < -90, hertz);
    }
  });
}

test('a tone stays in its place, and a sound keeps its length', () => {
  const want = tone(440, 16000), found = serPage.resample(tone(440, 44100), 44100);
  assert.equal(found.length, 16000);
  for (let n = 500; n < 15500; n += 1) assert.ok(Math.abs(found[n] - want[n]) < 1e-4, n);
  assert.equal(serPage.resample(tone(440, 8000), 8000).length, 16000);
});

test('piece by piece is as at once', () => {
  const sound = tone(700, 48000), whole = serPage.resample(sound, 48000);
  const resampler = new serPage.Resampler(48000, 16000), parts = [];
  for (let n = 0; n < sound.length; n += 777) parts.push(...resampler.push(sound.slice(n, n + 777)));
  parts.push(...resampler.flush());
  assert.deepEqual(Float32Array.from(parts), whole);
});

test('the Fourier transform is the sum that it stands for', () => {
  const size = 16, wave = Float64Array.from({length: size}, (_, n) => Math.cos(n * n));
  const power = new serPage.Fourier(size).power(wave, new Float64Array(size / 2 + 1));
  for (let k = 0; k <= size / 2; k += 1) {
    let re = 0, im = 0;
    wave.forEach((v, n) => {
      re += v * Math.cos(2 * Math.PI * k * n / size);
      im -= v * Math.sin(2 * Math.PI * k * n / size);
    });
    assert.ok(Math.abs(power[k] - re * re - im * im) < 1e-9);
  }
});
