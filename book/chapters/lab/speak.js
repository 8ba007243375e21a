// Speak into the page: microphone, file or built-in sound; spectrograms, input gates and answers.
// speak.py beside this file makes the markup and the JSON that is read here: weights, sounds, names.
(() => {
  'use strict';

  function start(root, data) {
    const page = serPage, dual = page.dual = new page.Dual(page.unpack(data.model));
    page.clips = data.clips;
    const find = name => root.querySelector(name);
    const said = find('output'), clip = find('select.clip');
    const unit = find('select.unit'), audio = find('audio');
    const canvases = {s1: find('canvas.s1'), s2: find('canvas.s2')};
    let last = null;

    // Means over the units, or one unit, at every step of a gate.
    function curve(gate) {
      const u = Number(unit.value);
      return Array.from({length: gate.rows}, (_, t) => {
        if (u >= 0) return gate.values[t * gate.columns + u];
        let sum = 0;
        for (let k = 0; k < gate.columns; k += 1) sum += gate.values[t * gate.columns + k];
        return sum / gate.columns;
      });
    }

    function drawGates({iT, iF}, seconds) {
      const curves = {T: curve(iT), F: curve(iF)}, all = [...curves.T, ...curves.F];
      const {left, right, top, bottom} = data.gates;
      const low = Math.min(0, ...all), high = Math.max(low + 0.1, ...all);
      const y = v => bottom - (v - low) / (high - low) * (bottom - top);
      for (const [key, values] of Object.entries(curves)) {
        find(`polyline.${key}`).setAttribute('points', page.points(values.length,
          t => (left + (t + 0.5) / values.length * (right - left)).toFixed(1),
          t => y(values[t]).toFixed(1)));
      }
      find('line.zero').setAttribute('y1', y(0));
      find('line.zero').setAttribute('y2', y(0));
      find('text.low').textContent = low.toFixed(2);
      find('text.high').textContent = high.toFixed(2);
      find('text.end').textContent = `${seconds.toFixed(1)} s`;
      const mean = values => values.reduce((a, b) => a + b, 0) / values.length;
      find('svg').setAttribute('aria-label', `Two input gates over ${seconds.toFixed(1)} s: iT, for ` +
        `S1, ${mean(curves.T).toFixed(2)} on average, iF, for S2, ${mean(curves.F).toFixed(2)}.`);
    }

    // One answer about a wave at 16 kHz, drawn; gives what was heard.
    function hear(wave) {
      const heard = dual.hear(page.withoutOffset(wave)), seconds = wave.length / page.RATE;
      for (const [name, canvas] of Object.entries(canvases)) {
        page.spectrogram(canvas, heard[name], data.colours[name]);
        canvas.setAttribute('aria-label', `${data.names[name]}: ${seconds.toFixed(1)} s, ` +
          `${heard[name].columns} mel bands, ${heard[name].rows} frames.`);
      }
      last = {heard, seconds};
      drawGates(heard, seconds);
      page.answers(find('table'), [heard.probabilities,
        ...['mfcc-lstm', 'ds-lstm'].map(name => page.softmax(heard.branches[name]))]);
      return heard;
    }

    // The last answer about a sound, in words, with what makes it worth less.
    function tell(wave, from) {
      try {
        const heard = hear(wave), best = page.surest(heard.probabilities);
        const branches = ['mfcc-lstm', 'ds-lstm'].map(name => {
          const shares = page.softmax(heard.branches[name]);
          return `${name} says ${data.emotions[page.surest(shares)]}`;
        });
        page.play(audio, wave);
        said.textContent = [`${from}: ${data.emotions[best]}, ${page.percent(heard.probabilities[best])};`,
          `${branches.join(', ')}.`, ...page.notes(wave, data.seconds)].join(' ');
        root.dataset.answer = JSON.stringify(heard.branches);
      } catch (error) {
        said.textContent = `${from}: ${error.message}.`;
      }
    }

    async function open(file) {
      try {
        const {wave, rate, seconds, told} = await page.decode(await file.arrayBuffer());
        tell(wave, `${file.name} (${seconds.toFixed(1)} s at ${rate} Hz)${told && `. ${told} Answer`}`);
      } catch (error) {
        said.textContent = `${file.name}: ${error.message}.`;
      }
    }

    page.recorder(find('button.mic'), {
      begun: told => { said.textContent = told; },
      soFar: hear,
      done: (wave, told) => tell(wave, `You, ${(wave.length / page.RATE).toFixed(1)} s. ${told} Answer`),
      failed: sentence => { said.textContent = sentence; },
    });
    find('input[type=file]').addEventListener('change', event => {
      if (event.target.files.length) open(event.target.files[0]);
      event.target.value = '';
    });
    find('button.ask').addEventListener('click', () => {
      const {name, wav} = data.clips[clip.value];
      tell(page.unpackWav(wav), name);
    });
    unit.addEventListener('change', () => { if (last) drawGates(last.heard, last.seconds); });
  }

  serPage.takeUp('speak', start);
})();
