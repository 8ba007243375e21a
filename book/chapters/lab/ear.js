// Ear training: clips to label, some of them twice; then both confusion matrices and agreement.
// ear.py beside this file makes the markup and the JSON that is read here.
(() => {
  'use strict';

  function shuffled(list) {
    const out = [...list];
    for (let k = out.length - 1; k > 0; k -= 1) {
      const other = Math.floor(Math.random() * (k + 1));
      [out[k], out[other]] = [out[other], out[k]];
    }
    return out;
  }

  function start(root, data) {
    const page = serPage, {emotions, clips} = data, count = emotions.length;
    const find = name => root.querySelector(name);
    const audio = find('audio'), said = find('output'), save = find('button.save');
    const result = find('.result'), choices = [...root.querySelectorAll('button.emotion')];
    const truth = clips.map(clip => emotions.indexOf(clip.emotion));
    const network = clips.map(clip => page.surest(clip.network));
    let order, first, second;

    function load() {
      const done = first.filter(v => v >= 0).length + second.size;
      audio.src = `data:audio/wav;base64,${page.clips[clips[order[done]].clip].wav}`;
      root.dataset.clip = order[done];
      said.textContent = `Clip ${done + 1} of ${order.length}. Listen, then choose a word.`;
    }

    function begin() {
      const once = shuffled(clips.keys());
      order = [...once, ...shuffled(once.slice(0, data.repeats))];
      first = clips.map(() => -1);
      second = new Map();
      result.hidden = true;
      save.disabled = true;
      for (const button of choices) button.removeAttribute('aria-disabled');
      load();
    }

    function choose(word) {
      const done = first.filter(v => v >= 0).length + second.size;
      if (done === order.length) return;
      if (done < clips.length) first[order[done]] = word;
      else second.set(order[done], word);
      if (done + 1 < order.length) {
        load();
        audio.play().catch(() => {});
      } else finish();
    }

    function matrix(left, name, counts) {
      const svg = find('.result svg'), size = 46, top = 62;
      page.put(svg, 'text', {x: left, y: 20, 'font-weight': 'bold'}, name);
      counts.forEach((row, r) => {
        page.put(svg, 'text', {x: left + 62, y: top + size * r + 29, 'text-anchor': 'end',
          'font-size': 15}, emotions[r]);
        page.put(svg, 'text', {x: left + 68 + size * r + 22, y: top - 8, 'text-anchor': 'middle',
          'font-size': 15}, emotions[r].slice(0, 3));
        const sum = row.reduce((a, b) => a + b, 0);
        row.forEach((v, c) => {
          const share = sum ? v / sum : 0;
          page.put(svg, 'rect', {x: left + 68 + size * c, y: top + size * r, width: size - 2,
            height: size - 2, fill: data.blue, 'fill-opacity': (0.04 + 0.96 * share).toFixed(3),
            stroke: data.grid});
          page.put(svg, 'text', {x: left + 68 + size * c + 22, y: top + size * r + 28,
            'text-anchor': 'middle', fill: share > 0.55 ? '#ffffff' : '#000000', class: 'cell'}, v);
        });
      });
    }

    const spelled = counts => counts.map((row, r) => `${emotions[r]}: ` +
      row.map((v, c) => `${v} ${emotions[c]}`).join(', ')).join('; ');

    function score(name, answers) {
      const right = answers.filter((v, k) => v === truth[k]).length;
      const [low, high] = page.wilson(right, truth.length);
      return `${name} ${right} of ${truth.length}, ${page.percent(right / truth.length)} ` +
        `(95 %: ${page.percent(low)} to ${page.percent(high)})`;
    }

    const agreement = value => (value === null ? 'not defined, one word only' : value.toFixed(2));

    function finish() {
      const yours = page.confusion(truth, first, count), its = page.confusion(truth, network, count);
      const again = [...second.keys()];
      find('.result svg').textContent = '';
      matrix(0, 'You', yours);
      matrix(270, 'The network', its);
      find('.result svg').setAttribute('aria-label', `Counts, a row a label. You: ${spelled(yours)}. ` +
        `The network: ${spelled(its)}.`);
      const kappas = {
        'the labels': page.kappa(first, truth, count),
        'the network': page.kappa(first, network, count),
        [`yourself, on ${again.length} clips heard twice`]: page.kappa(again.map(k => first[k]),
          again.map(k => second.get(k)), count),
      };
      said.textContent = `${score('As labelled: you', first)}; ${score('the network', network)}. ` +
        `Your kappa with ${Object.entries(kappas).map(([name, v]) => `${name}: ${agreement(v)}`).join('; with ')}.`;
      for (const button of choices) button.setAttribute('aria-disabled', 'true');
      result.hidden = false;
      save.disabled = false;
    }

    function rows() {
      const word = k => (k === undefined || k < 0 ? '' : emotions[k]);
      const head = ['clip', 'label', 'first answer', 'second answer', 'network',
        ...emotions.map(e => `network ${e}`)];
      return [head, ...clips.map((clip, k) => [page.clips[clip.clip].name, clip.emotion, word(first[k]),
        word(second.get(k)), word(network[k]), ...clip.network.map(p => p.toFixed(4))])];
    }

    choices.forEach((button, k) => button.addEventListener('click', () => choose(k)));
    find('button.again').addEventListener('click', begin);
    save.addEventListener('click', () => {
      const link = document.createElement('a');
      link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(page.csv(rows()))}`;
      link.download = 'my-ear.csv';
      link.click();
    });
    begin();
  }

  serPage.takeUp('ear', start);
})();
