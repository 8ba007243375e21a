// Random against unseen speakers, last epoch against chosen: draws what the reader picked.
// protocol_widget.py beside this file makes the controls and the JSON that is read here.
(() => {
  'use strict';

  const END = {'text-anchor': 'end'}, MIDDLE = {'text-anchor': 'middle'};
  const BOLD = {'font-weight': 'bold'}, SMALL = {'font-size': 15};

  const signed = (value, digits) => (value < 0 ? '−' : '+') + Math.abs(value).toFixed(digits);

  // Rows in percent; a row without utterances has none.
  function percents(counts) {
    return counts.map(row => {
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map(v => (sum ? 100 * v / sum : null));
    });
  }

  function start(root, data) {
    const ink = data.colours, emotions = data.emotions;
    const svg = root.querySelector('svg'), said = root.querySelector('output');
    const corpus = root.querySelector('select.corpus'), model = root.querySelector('select.model');
    const compare = root.querySelector('input[type=checkbox]');

    const picked = key => root.querySelector(`fieldset.${key} input:checked`).value;

    const put = (...what) => serPage.put(svg, ...what);

    const word = (x, y, text, ...more) => put('text', Object.assign({x, y}, ...more), text);

    const rule = (x1, y1, x2, y2, stroke, width = 1, dash = '', name = '') => put('line',
      {x1, x2, y1, y2, stroke, 'stroke-width': width, 'stroke-dasharray': dash, class: name});

    // Lines at 0, 50 and 100 percent; gives the height of a value.
    function percentAxis(left, right, top, bottom) {
      const y = v => bottom - v / 100 * (bottom - top);
      for (const v of [0, 50, 100]) {
        rule(left, y(v), right, y(v), ink.grid);
        word(left - 5, y(v) + 5, v, END);
      }
      return y;
    }

    function strip(now, base, compared) {
      const x = v => 20 + v * 4.8;
      word(20, 18, 'UA in percent, 95 % interval over speakers', BOLD);
      for (const v of [0, 25, 50, 75, 100]) {
        rule(x(v), 28, x(v), 76, ink.grid);
        word(x(v), 94, v === 25 ? '25, chance' : v, v === 0 ? {} : v === 100 ? END : MIDDLE);
      }
      if (compared) {
        put('path', {class: 'base', d: `M${x(base.ua)} 57 l7 8 l-7 8 l-7 -8 z`, fill: ink.card,
          stroke: ink.vermillion, 'stroke-width': 2.4});
        if (base.low !== null) rule(x(base.low), 65, x(base.high), 65, ink.vermillion, 2);
      }
      if (now.low !== null) rule(x(now.low), 42, x(now.high), 42, ink.blue, 4);
      put('circle', {class: 'now', cx: x(now.ua), cy: 42, r: 8, fill: ink.blue});
    }

    function matrix(now, base, compared) {
      const shares = percents(now.counts), others = percents(base.counts);
      const left = 78, top = 150, size = 46;
      word(8, 124, compared ? 'difference, points' : 'confusion, percent', BOLD);
      emotions.forEach((emotion, r) => {
        word(left - 6, top + size * r + 29, emotion, END, SMALL);
        word(left + size * r + 23, top - 7, emotion.slice(0, 3), MIDDLE, SMALL);
        emotions.forEach((_, c) => {
          const share = shares[r][c], other = others[r][c];
          let shown = share === null ? '–' : share.toFixed(0);
          let fill = ink.blue, strength = (share ?? 0) / 100;
          if (compared && share !== null && other !== null) {
            const differs = share - other;
            shown = Math.round(differs) === 0 ? '0' : signed(differs, 0);
            fill = differs < 0 ? ink.vermillion : ink.blue;
            strength = Math.min(1, Math.abs(differs) / 40) * 0.55;
          }
          put('rect', {x: left + size * c, y: top + size * r, width: size - 2, height: size - 2,
            fill, 'fill-opacity': (0.04 + 0.96 * strength).toFixed(3), stroke: ink.grid});
          word(left + size * c + 22, top + size * r + 28, shown, MIDDLE, {class: 'cell',
            fill: fill === ink.blue && strength > 0.92 ? '#ffffff' : '#000000', 'font-weight': r === c ? 'bold' : 'normal'});
        });
      });
      word(left + 2 * size, top + 4 * size + 18, 'answered; rows: true', MIDDLE, SMALL);
    }

    function curve(runs, epochs) {
      const left = 326, right = 510, top = 150, bottom = 334, count = runs.test.length;
      word(left - 30, 124, 'UA after each epoch', BOLD);
      if (!count) {
        word(left - 30, 160, 'fitted in one go,');
        word(left - 30, 182, 'no epochs');
        return;
      }
      const x = k => (count < 2 ? left : left + k / (count - 1) * (right - left));
      const y = percentAxis(left, right, top, bottom);
      const lines = [['train', ink.grey, '6 4', left], ['test', ink.blue, '', left + 84]];
      for (const [name, stroke, dash, at] of lines) {
        if (!runs[name].length) continue;
        put('polyline', {class: name, fill: 'none', stroke, 'stroke-width': 2.6,
          'stroke-dasharray': dash,
          points: serPage.points(runs[name].length, k => x(k).toFixed(1),
            k => y(runs[name][k]).toFixed(1))});
        rule(at, bottom - 14, at + 22, bottom - 14, stroke, 2.6, dash);
        word(at + 27, bottom - 9, name, SMALL);
      }
      word(left, bottom + 20, '1', MIDDLE);
      word(right, bottom + 20, count, END);
      word((left + right) / 2, bottom + 20, 'epoch', MIDDLE);
      for (const epoch of epochs) {
        rule(x(epoch - 1), top, x(epoch - 1), bottom - 28, ink.vermillion, 1.6, '3 3', 'chosen');
      }
      word(right, top - 7, 'dotted: chosen', END, SMALL);
    }

    function speakers(names, now, base, compared) {
      const left = 50, right = 508, top = 400, bottom = 505, step = (right - left) / names.length;
      word(8, 382, `UA of each speaker, percent${compared ? ' (line: unseen, last)' : ''}`, BOLD);
      const y = percentAxis(left, right, top, bottom);
      let alike = 0; // characters that all names begin with
      while (names.length > 1 && alike < names[0].length - 1 && names.every(
        name => name.length > alike + 1 && name[alike] === names[0][alike])) alike += 1;
      names.forEach((name, k) => {
        const x = left + k * step, ua = now.each[k], other = base.each[k];
        if (ua !== null) put('rect', {class: 'speaker', x: (x + step * 0.15).toFixed(1), y: y(ua),
          width: (step * 0.7).toFixed(1), height: bottom - y(ua), fill: ink.blue});
        if (compared && other !== null) {
          rule(x + step * 0.05, y(other), x + step * 0.95, y(other), ink.card, 5);
          rule(x + step * 0.05, y(other), x + step * 0.95, y(other), ink.vermillion, 3);
        }
        if (names.length <= 12) {
          word(x + step / 2, bottom + 20, name.slice(alike, alike + 5), MIDDLE, SMALL);
        }
      });
      if (names.length > 12) {
        word((left + right) / 2, bottom + 20, `${names.length} speakers, in order of name`, MIDDLE);
      }
    }

    function words(side, key, now, base, compared) {
      const row = data.table[corpus.value][model.value];
      const split = side === row.random ? 'random split' : 'unseen speakers';
      const seeds = `${side.seeds} ${side.seeds === 1 ? 'seed' : 'seeds'}`;
      const epoch = side.curve.test.length ? data.selections[key] : 'no epochs';
      const interval = now.low === null ? ''
        : `, interval ${now.low.toFixed(1)} to ${now.high.toFixed(1)}`;
      let text = `${corpus.value}, ${model.value}, ${split} (${side.folds} folds, ${side.n} ` +
        `utterances, ${seeds}), ${epoch}: UA ${now.ua.toFixed(1)} %${interval}.`;
      if (compared) text += now === base ? ' This is what the others are compared with.'
        : ` ${signed(now.ua - base.ua, 1)} points against unseen speakers, last epoch.`;
      if (key === 'test') text += ' The test chose its own epoch: no estimate of anything.';
      return text;
    }

    function draw() {
      const row = data.table[corpus.value][model.value], side = row[picked('side')];
      for (const input of root.querySelectorAll('fieldset.epoch input')) {
        input.disabled = !(input.value in side);
        input.parentNode.style.opacity = input.disabled ? 0.55 : 1;
        if (input.value === 'last' && !(picked('epoch') in side)) input.checked = true;
      }
      const key = picked('epoch'), now = side[key], base = row.unseen.last;
      const compared = compare.checked;
      svg.textContent = '';
      strip(now, base, compared);
      matrix(now, base, compared);
      curve(side.curve, now.epochs);
      speakers(side.speakers, now, base, compared);
      said.textContent = words(side, key, now, base, compared);
      const shares = percents(now.counts);
      const recalls = emotions.map((emotion, k) =>
        `${emotion} ${shares[k][k] === null ? 'none' : `${shares[k][k].toFixed(0)} %`}`);
      svg.setAttribute('aria-label', `${said.textContent} Recalls: ${recalls.join(', ')}.`);
    }

    // The rows of the chosen corpus; the row stays where that corpus has it.
    function listModels() {
      const before = model.value, names = Object.keys(data.table[corpus.value]);
      model.replaceChildren(...names.map(name => new Option(name)));
      model.value = names.includes(before) ? before : data.start[corpus.value];
    }

    corpus.addEventListener('change', () => { listModels(); draw(); });
    model.addEventListener('change', draw);
    for (const input of root.querySelectorAll('input')) input.addEventListener('change', draw);
    listModels();
    draw();
  }

  serPage.takeUp('protocols', start);
})();
