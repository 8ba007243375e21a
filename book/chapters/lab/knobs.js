// A voice with knobs: F0, range and rate from a grid of sounds, level and tilt made in the page.
// knobs.py beside this file makes the markup and the JSON that is read here.
(() => {
  'use strict';
  const FROM = 500, PEAK = 0.97;

  // A sound tilted by dB an octave above 500 Hz, then louder by dB, held back where it would clip.
  function turned(wave, level, tilt) {
    const tilted = tilt ? serPage.filter(wave, serPage.RATE,
      hertz => 10 ** (tilt * Math.log2(Math.max(hertz, FROM) / FROM) / 20)) : wave;
    const peak = tilted.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-9);
    const gain = Math.min(10 ** (level / 20), PEAK / peak);
    return Float32Array.from(tilted, v => gain * v);
  }

  function start(root, data) {
    const page = serPage, find = name => root.querySelector(name);
    const said = find('output'), audio = find('audio'), canvas = find('canvas');
    const knobs = [...root.querySelectorAll('input[type=range]')];

    function turn() {
      const [f0, range, rate, level, tilt] = knobs.map((knob, k) => {
        const label = data.knobs[k].labels[knob.value];
        knob.setAttribute('aria-valuetext', label);
        knob.parentNode.querySelector('b').textContent = label;
        return Number(knob.value);
      });
      const [{values: {length: ranges}}, {values: {length: rates}}] = data.knobs.slice(1, 3);
      const plain = page.unpackWav(data.sounds[(f0 * ranges + range) * rates + rate]);
      const wave = turned(plain, data.knobs[3].values[level], data.knobs[4].values[tilt]);
      const heard = page.dual.hear(wave), best = page.surest(heard.probabilities);
      page.spectrogram(canvas, heard.s2, data.colours);
      canvas.setAttribute('aria-label', `${data.name}: ${(wave.length / page.RATE).toFixed(1)} s.`);
      page.answers(find('table'), [heard.probabilities,
        ...['mfcc-lstm', 'ds-lstm'].map(name => page.softmax(heard.branches[name]))]);
      page.play(audio, wave);
      said.textContent = `The network says ${data.emotions[best]}, ` +
        `${page.percent(heard.probabilities[best])}.`;
      root.dataset.answer = JSON.stringify(heard.probabilities);
    }

    for (const knob of knobs) knob.addEventListener('input', turn);
    find('button.plain').addEventListener('click', () => {
      for (const knob of knobs) knob.value = (Number(knob.max) / 2).toFixed();
      turn();
    });
    turn();
  }

  serPage.turned = turned;
  if (typeof document !== 'undefined') serPage.takeUp('knobs', start);
})();
