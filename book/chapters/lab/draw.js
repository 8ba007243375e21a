// What the lab's drawings share: a spectrogram on a canvas, the answers as a table of bars.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};

  // A mel-spectrogram {rows, columns, values} in dB over the width of a canvas; colours is three
  // of "#rrggbb", soft to loud. The range is 80 dB below the loudest.
  function spectrogram(canvas, {rows, columns, values}, colours) {
    const [soft, middle, loud] = colours.map(c => [1, 3, 5].map(k => parseInt(c.slice(k, k + 2), 16)));
    const picture = new ImageData(rows, columns);
    let top = -Infinity;
    for (const v of values) top = Math.max(top, v);
    for (let t = 0; t < rows; t += 1) {
      for (let b = 0; b < columns; b += 1) {
        const place = 2 * Math.min(1, Math.max(0, 1 + (values[t * columns + b] - top) / 80));
        const [from, to] = place < 1 ? [soft, middle] : [middle, loud], share = place < 1 ? place : place - 1;
        const at = 4 * ((columns - 1 - b) * rows + t);
        for (let k = 0; k < 3; k += 1) picture.data[at + k] = from[k] + share * (to[k] - from[k]);
        picture.data[at + 3] = 255;
      }
    }
    const small = document.createElement('canvas');
    small.width = rows;
    small.height = columns;
    small.getContext('2d').putImageData(picture, 0, 0);
    const pen = canvas.getContext('2d');
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
  }

  const percent = share => `${Math.round(100 * share)} %`;

  // Fills a table whose rows are the classes: a bar and the share of each column's answer.
  function answers(table, columns) {
    [...table.tBodies[0].rows].forEach((row, k) => {
      columns.forEach((shares, c) => {
        const cell = row.cells[c + 1];
        cell.querySelector('span').textContent = shares ? percent(shares[k]) : '–';
        cell.querySelector('i').style.width = shares ? `${(100 * shares[k]).toFixed(1)}%` : 0;
      });
    });
  }

  // The player gets a wave at 16 kHz, as it is.
  function play(audio, wave) {
    if (audio.src.startsWith('blob:')) URL.revokeObjectURL(audio.src);
    audio.src = URL.createObjectURL(new Blob([page.encodeWav(wave)], {type: 'audio/wav'}));
    audio.hidden = false;
  }

  const surest = shares => shares.indexOf(Math.max(...shares));

  Object.assign(page, {answers, percent, play, spectrogram, surest});
})();
