// A button that records, with a microphone that is played here.
'use strict';
const assert = require('node:assert/strict');
const {test} = require('node:test');
require('./load.js');

function button(name) {
  let press;
  const pressed = {};
  return {pressed, textContent: name, press: () => press(), setAttribute: (key, v) => { pressed[key] = v; },
    addEventListener: (_, run) => { press = run; }};
}

// A microphone that hands on what say() is given; stopped counts how often it was let go.
function microphone() {
  const made = {stopped: 0};
  serPage.listen = async block => {
    made.say = block;
    return {told: 'Off.', stop: () => { made.stopped += 1; }};
  };
  return made;
}

const ramp = (from, size) => Float32Array.from({length: size}, (_, n) => (from + n) % 997 / 1000);

test('what is said between two presses is kept, sample by sample', async () => {
  const heard = microphone(), one = button('Speak'), said = [];
  serPage.recorder(one, {begun: told => said.push(told), failed: no => said.push(no),
    soFar: wave => said.push(wave.length), done: (wave, told) => said.push(wave, told)});
  await one.press();
  assert.deepEqual([one.textContent, one.pressed['aria-pressed']], ['Stop', 'true']);
  for (let n = 0; n < 5; n += 1) heard.say(ramp(2048 * n, 2048), 16000);
  one.press();
  heard.say(ramp(0, 2048), 16000); // comes too late
  assert.deepEqual(said, ['Listening, for at most 9 s. Off.', 8192, ramp(0, 10240), 'Off.']);
  assert.deepEqual([one.textContent, one.pressed['aria-pressed'], heard.stopped], ['Speak', 'false', 1]);
});

test('at another rate it is resampled, and ends by itself after nine seconds', async () => {
  const heard = microphone(), one = button('Speak'), found = [];
  serPage.recorder(one, {begun() {}, failed: assert.fail, done: wave => found.push(wave)});
  await one.press();
  const tone = Float32Array.from({length: 48000 * 10}, (_, n) => Math.sin(2 * Math.PI * 440 * n / 48000));
  for (let n = 0; n < tone.length; n += 2048) heard.say(tone.slice(n, n + 2048), 48000);
  assert.deepEqual(found.map(wave => wave.length), [9 * 16000]);
  for (let n = 500; n < 9 * 16000; n += 1) {
    assert.ok(Math.abs(found[0][n] - Math.sin(2 * Math.PI * 440 * n / 16000)) < 1e-3, n);
  }
  assert.equal(heard.stopped, 1);
});

test('nothing said, a refusal and a second button are told', async () => {
  const heard = microphone(), said = [], one = button('one'), two = button('two');
  let no = 'Enough.';
  const of = name => ({begun() {}, failed: word => said.push(`${name}: ${word}`),
    done: () => said.push(`${name}: done`), refusal: () => no});
  serPage.recorder(one, of('one'));
  serPage.recorder(two, of('two'));
  await one.press();
  no = '';
  await one.press();
  heard.say(ramp(0, 512), 16000);
  await two.press(); // ends the first
  two.press();
  assert.deepEqual(said, ['one: Enough.', 'one: done', 'two: Nothing came from the microphone.']);
});
