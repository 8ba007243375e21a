// Files of sound, and answers judged.
'use strict';
const assert = require('node:assert/strict');
const {test} = require('node:test');
require('./load.js');

function wav({code = 1, bits = 16, channels = 1, rate = 8000, frames, write, extra = 0}) {
  const step = channels * bits / 8, size = frames.length * step;
  const view = new DataView(new ArrayBuffer(44 + extra + size));
  const text = (at, s) => [...s].forEach((c, k) => view.setUint8(at + k, c.charCodeAt(0)));
  text(0, 'RIFF');
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, code, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint16(34, bits, true);
  let at = 36;
  if (extra) {
    text(36, 'FLLR');
    view.setUint32(40, extra - 8, true);
    at += extra;
  }
  text(at, 'data');
  view.setUint32(at + 4, size, true);
  frames.flat().forEach((v, k) => write(view, at + 8 + k * bits / 8, v));
  return view.buffer;
}

const kinds = {
  'int16': {bits: 16, write: (v, at, x) => v.setInt16(at, x * 32768, true)},
  'uint8': {bits: 8, write: (v, at, x) => v.setUint8(at, 128 + x * 128)},
  'int24': {bits: 24, write: (v, at, x) => {
    const n = Math.round(x * 8388608);
    v.setUint8(at, n & 255);
    v.setInt16(at + 1, n >> 8, true);
  }},
  'int32': {bits: 32, write: (v, at, x) => v.setInt32(at, x * 2147483648, true)},
  'float32': {code: 3, bits: 32, write: (v, at, x) => v.setFloat32(at, x, true)},
  'float64': {code: 3, bits: 64, write: (v, at, x) => v.setFloat64(at, x, true)},
};

for (const [name, kind] of Object.entries(kinds)) {
  test(`WAV of ${name}, stereo, a foreign chunk before the data: the mean of the channels`, () => {
    const {rate, samples} = serPage.readWav(
      wav({...kind, channels: 2, extra: 16, frames: [[0.5, 0], [-0.25, -0.75], [0.125, 0.125]]}));
    assert.equal(rate, 8000);
    assert.deepEqual([...samples], [0.25, -0.5, 0.125]);
  });
}

test('a WAV file that is cut off is told, not heard', () => {
  const whole = wav({...kinds.int16, frames: Array(400).fill([0.1])});
  assert.throws(() => serPage.readWav(whole.slice(0, 600)), /cut off/);
});

test('A-law in a WAV file is left to the browser, at the rate that the file tells', () => {
  const file = wav({...kinds.uint8, code: 6, rate: 11025, frames: Array(400).fill([0.1])});
  assert.equal(serPage.readWav(file), null);
  assert.equal(serPage.rateOf(file), 11025);
});

test('what is written is read', async () => {
  const wave = Float32Array.from({length: 1600}, (_, n) => (Math.round(9000 * Math.sin(n)) || 0) / 32768);
  const {wave: found, rate, seconds} = await serPage.decode(serPage.encodeWav(wave));
  assert.deepEqual(found, wave);
  assert.deepEqual([rate, seconds], [16000, 0.1]);
});

test('too short, too long and no number are told', async () => {
  const of = (count, value = 0.1) => serPage.decode(
    wav({...kinds.float32, frames: Array(count).fill([value])}));
  await assert.rejects(of(100), /too short/);
  await assert.rejects(of(61 * 8000), /61 s are no utterance/);
  await assert.rejects(of(8000, NaN), /no numbers/);
  await assert.rejects(serPage.decode(new ArrayBuffer(100)), /save it as WAV/);
});

test('an offset is taken away where ser.predict takes it, else nothing is', () => {
  const voice = Float32Array.from({length: 8000}, (_, n) => 0.1 * Math.sin(n));
  assert.equal(serPage.withoutOffset(voice), voice);
  const moved = serPage.withoutOffset(voice.map(v => v + 0.05));
  assert.ok(moved.every((v, n) => Math.abs(v - voice[n]) < 1e-3));
});

test('notes', () => {
  const tone = size => Float32Array.from({length: 32000}, (_, n) => size * Math.sin(n / 5));
  const of = wave => serPage.notes(wave, [1.4, 9]).join(' ');
  assert.equal(of(tone(0.3)), '');
  assert.match(of(tone(0)), /silence/);
  assert.match(of(tone(0.005)), /Very quiet/);
  assert.match(of(tone(3).map(v => Math.max(-1, Math.min(1, v)))), /cut off at its peak/);
  assert.match(of(tone(0.3).slice(0, 8000)), /lasts 0.5 s; the network was trained on 1.4 to 9.0/);
});

test('confusion, kappa and interval are those of the textbooks', () => {
  const truth = [0, 0, 1, 1], said = [0, 1, 1, 1];
  assert.deepEqual(serPage.confusion(truth, said, 2), [[1, 1], [0, 2]]);
  assert.equal(serPage.kappa(truth, said, 2), 0.5);
  assert.equal(serPage.kappa(truth, truth, 2), 1);
  assert.equal(serPage.kappa([1, 1], [1, 1], 2), null);
  const [low, high] = serPage.wilson(18, 24);
  assert.ok(Math.abs(low - 0.5510) < 1e-4 && Math.abs(high - 0.8800) < 1e-4, `${low} ${high}`);
});

test('a CSV file keeps commas and quotes in their field', () => {
  assert.equal(serPage.csv([['a', 'b'], ['x, "y"', 1]]), 'a,b\n"x, ""y""",1\n');
});

test('what the browser did to the microphone is read back', () => {
  const told = settings => serPage.readBack(settings);
  assert.equal(told({autoGainControl: false, noiseSuppression: false, echoCancellation: false,
    sampleRate: 48000}), 'All three were asked off; the browser says off: gain control, noise ' +
    'suppression, echo cancellation, at 48000 Hz.');
  assert.match(told({autoGainControl: true}), /still on: gain control, so level and pauses are not as/);
  assert.match(told({autoGainControl: true}), /not told: noise suppression, echo cancellation/);
});

test('a filter changes what it is told to, and nothing else', () => {
  const size = 4000, sine = hertz => Float32Array.from({length: size},
    (_, n) => Math.sin(2 * Math.PI * hertz * n / 16000));
  const found = serPage.filter(sine(4000), 16000, hertz => (hertz > 2000 ? 0.5 : 1));
  for (let n = 400; n < size - 400; n += 1) assert.ok(Math.abs(found[n] - 0.5 * sine(4000)[n]) < 0.01);
  const turned = serPage.turned(sine(300), 6.0206, -3); // below 500 Hz there is no tilt; peak held
  assert.ok(Math.abs(Math.max(...turned) - 0.97) < 0.02);
});
