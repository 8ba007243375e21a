// Three calm sentences first, then a sentence: the answers of a network that compares a voice with
// its training corpus beside those of one that compares it with itself.
// enrol.py beside this file makes the markup and the JSON that is read here; speak.js comes before.
(() => {
  'use strict';

  function start(root, data) {
    const page = serPage, find = name => root.querySelector(name);
    const network = new page.Dual(page.unpack(data.model)), {count} = data;
    const told = find('output.told'), said = find('output.said'), table = find('table');
    const slots = [...root.querySelectorAll('ol.calm li')], calm = Array(count).fill(null);
    let scales = null, enrolled = null, asked = null;

    const given = () => calm.filter(Boolean);
    const seconds = wave => `${(wave.length / page.RATE).toFixed(1)} s`;
    const average = values => values.reduce((a, b) => a + b, 0) / values.length;
    const whole = (sentence, more = '') => `${sentence}.${more && ` ${more}`}`;
    const missing = () => {
      const left = count - given().length;
      return `${left} more calm sentence${left === 1 ? ' is' : 's are'} needed`;
    };

    // Mean and deviation of S2 by band, the training corpus's and the calm sentences'.
    function draw() {
      const {left, right, top, bottom} = data.drawing, of = kind =>
        page.dual.weights['ds-lstm'][`normalise/s2/${kind}`].values;
      const both = {others: {mean: of('mean'), deviation: of('deviation')}};
      if (scales) both.own = scales.s2;
      const edges = Object.values(both).flatMap(({mean, deviation}) =>
        [...mean].flatMap((m, b) => [m - deviation[b], m + deviation[b]]));
      const low = Math.min(...edges), high = Math.max(...edges);
      const y = v => (bottom - (v - low) / (high - low) * (bottom - top)).toFixed(1);
      for (const name of ['others', 'own']) {
        const {mean = [], deviation = []} = both[name] ?? {}, bands = mean.length;
        const x = b => (left + (b + 0.5) / bands * (right - left)).toFixed(1);
        find(`polyline.${name}`).setAttribute('points', page.points(bands, x, b => y(mean[b])));
        const back = k => (k < bands ? k : 2 * bands - 1 - k);
        find(`polyline.${name}-area`).setAttribute('points', page.points(2 * bands,
          k => x(back(k)), k => y(mean[back(k)] + (k < bands ? 1 : -1) * deviation[back(k)])));
      }
      find('text.low').textContent = low.toFixed(0);
      find('text.high').textContent = high.toFixed(0);
      const words = Object.entries(both).map(([name, {mean, deviation}]) => `${data.names[name]} ` +
        `${average(mean).toFixed(1)} and ${average(deviation).toFixed(1)} dB`);
      if (!scales) words.push('no calm sentence yet');
      const sentence = `Mean and deviation of S2, averaged over its bands: ${words.join('; ')}.`;
      find('p.scale').textContent = sentence;
      find('svg').setAttribute('aria-label', sentence);
    }

    // Both answers about the sentence that was last asked about, if there is one.
    function answer() {
      find('p.why').textContent = enrolled ? '' : 'The second column is empty: this network ' +
        `compares a voice with itself, and does not know it yet; ${missing()}.`;
      if (!asked) return;
      const wave = page.withoutOffset(asked.wave);
      try {
        const heard = [page.dual, enrolled].map(one => one && one.hear(wave));
        page.answers(table, heard.map(one => one && one.probabilities));
        const words = heard.map(one => one && data.emotions[page.surest(one.probabilities)] +
          `, ${page.percent(Math.max(...one.probabilities))}`);
        const notes = page.notes(asked.wave, data.seconds);
        if (enrolled && calm.some(one => page.alike(one.wave, asked.wave))) notes.push(data.again);
        if (given().some(one => one.builtIn !== asked.builtIn)) notes.push(data.mixed);
        said.textContent = [`${asked.name}: compared with ${data.names.others} ${words[0]};`,
          enrolled ? `compared with ${data.names.own} ${words[1]}.` : `of the other network no answer: ${missing()}.`,
          ...notes].join(' ');
        root.dataset.answer = JSON.stringify(heard.map(one => one && one.branches));
      } catch (error) {
        asked = null;
        page.answers(table, [null, null]);
        said.textContent = `${error.message}.`;
      }
    }

    // Everything that hangs on the calm sentences, after one was given or taken back.
    function refresh(word) {
      const waves = given().map(one => one.wave);
      scales = waves.length ? page.measure(network, waves) : null;
      enrolled = waves.length === count ? page.enrolled(network, scales) : null;
      told.textContent = `${word} ${waves.length} of ${count} calm sentences are there` +
        `${enrolled ? ': the second network knows this voice' : ''}.`;
      draw();
      answer();
    }

    // Puts a calm sentence in the first free place; gives the sentence that is said of it.
    function add(wave, name, more, builtIn = false) {
      const free = calm.indexOf(null), waves = calm.map(one => one && one.wave);
      const no = free < 0 ? data.enough : page.unfit(wave, waves);
      if (no) return whole(`${name}: ${no}`, more);
      calm[free] = {wave, name, builtIn};
      const [label, audio, back] = ['span', 'audio', 'button'].map(tag => slots[free].querySelector(tag));
      label.textContent = `${name} `;
      page.play(audio, wave);
      back.hidden = false;
      back.setAttribute('aria-label', `Take back calm sentence ${free + 1}: ${name}`);
      return [whole(`${name}: taken as calm sentence ${free + 1}`, more), ...page.notes(wave, data.seconds)].join(' ');
    }

    function takeBack(k) {
      const [label, audio, back] = ['span', 'audio', 'button'].map(tag => slots[k].querySelector(tag));
      audio.pause();
      audio.hidden = back.hidden = true;
      label.textContent = data.nothing;
      calm[k] = null;
    }

    const ask = (wave, name, builtIn = false) => {
      asked = {wave, name, builtIn};
      page.play(find('audio.asked'), wave);
      answer();
    };

    async function open(file, take) {
      try {
        const {wave, rate, seconds: long, told: more} = await page.decode(await file.arrayBuffer());
        return take(wave, `${file.name} (${long.toFixed(1)} s at ${rate} Hz)`, more);
      } catch (error) {
        return `${file.name}: ${error.message}.`;
      }
    }

    page.recorder(find('button.calm'), {
      begun: word => { told.textContent = word; },
      done: (wave, more) => refresh(add(wave, `You, ${seconds(wave)}`, more)),
      failed: word => { told.textContent = word; },
      refusal: () => (calm.includes(null) ? '' : whole(`No more is recorded: ${data.enough}`)),
    });
    find('input.calm').addEventListener('change', async event => {
      const files = [...event.target.files], words = [];
      event.target.value = '';
      for (const file of files) words.push(await open(file, add));
      if (files.length) refresh(words.join(' '));
    });
    find('button.three').addEventListener('click', () => {
      calm.forEach((one, k) => { if (one) takeBack(k); });
      const words = data.calm.map(({name, wav}) => add(page.unpackWav(wav), name, '', true));
      refresh(words.join(' '));
    });
    slots.forEach((slot, k) => slot.querySelector('button').addEventListener('click', () => {
      takeBack(k);
      refresh(`Calm sentence ${k + 1} is taken back.`);
      find('button.calm').focus(); // the button that was pressed is gone
    }));
    page.recorder(find('button.mic'), {
      begun: word => { said.textContent = word; },
      done: (wave, more) => ask(wave, `You, ${seconds(wave)}. ${more} Answer`),
      failed: word => { said.textContent = word; },
    });
    find('input.asked').addEventListener('change', async event => {
      const [file] = event.target.files;
      event.target.value = '';
      const no = file && await open(file, (wave, name, more) => ask(wave, more ? `${name}. ${more} Answer` : name));
      if (no) said.textContent = no;
    });
    find('button.ask').addEventListener('click', () => {
      const {name, wav} = page.clips[find('select').value];
      ask(page.unpackWav(wav), name, true);
    });
    draw();
    answer();
  }

  serPage.takeUp('enrol', start);
})();
