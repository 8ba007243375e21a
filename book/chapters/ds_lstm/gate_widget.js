// The two input gates over time: a slider moves a line over them and over both spectrograms.
// gate_widget.py beside this file makes the drawing and the JSON that is read here.
(() => {
  'use strict';

  function start(root, data) {
    const [low, high] = data.range, [top, bottom] = data.gates;
    const time = root.querySelector('input'), unit = root.querySelector('select');
    const said = root.querySelector('output'), audio = root.querySelector('audio');

    function curve(key, values) {
      const height = v => bottom - (v - low) / (high - low) * (bottom - top);
      root.querySelector(`polyline.${key}`).setAttribute('points',
        serPage.points(values.length, t => data.x[t], t => height(values[t]).toFixed(1)));
    }

    function move() {
      const t = Number(time.value), u = Number(unit.value);
      const iT = data.T[u][t], iF = data.F[u][t], seconds = data.times[t].toFixed(2);
      const now = root.querySelector('g.now');
      now.setAttribute('opacity', 1);
      for (const line of now.children) {
        line.setAttribute('x1', data.x[t]);
        line.setAttribute('x2', data.x[t]);
      }
      const more = Math.abs(iT - iF) < 0.05 ? 'Both alike.'
        : `${iT > iF ? 'S1' : 'S2'} is let in more.`;
      said.textContent = `${seconds} s, ${data.names[u]}: iT ${iT.toFixed(2)}, ` +
        `iF ${iF.toFixed(2)}. ${more}`;
      time.setAttribute('aria-valuetext', `${seconds} seconds`);
    }

    function follow() {
      const next = data.times.findIndex(t => t > audio.currentTime);
      time.value = next < 0 ? data.times.length - 1 : Math.max(0, next - 1);
      move();
      if (!audio.paused) requestAnimationFrame(follow);
    }

    time.addEventListener('input', move);
    unit.addEventListener('change', () => {
      curve('T', data.T[unit.value]);
      curve('F', data.F[unit.value]);
      move();
    });
    if (audio) audio.addEventListener('play', follow);
    move();
  }

  serPage.takeUp('gates', start);
})();
