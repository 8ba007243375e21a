// A spectrogram whose window a slider changes, with what that window can tell apart.
// window_widget.py beside this file makes the drawing and the JSON that is read here: one step
// a window, drawn beforehand.
(() => {
  'use strict';

  function start(root, steps) {
    const slider = root.querySelector('input');

    function curve(key, points, colour, dash) {
      const line = root.querySelector(`polyline.${key}`);
      line.setAttribute('points', points);
      if (colour) line.setAttribute('stroke', colour);
      if (colour) line.setAttribute('stroke-dasharray', dash);
    }

    function move() {
      const step = steps[slider.value];
      root.querySelector('image').setAttribute('href', step.picture);
      curve('shape', step.shape);
      curve('time', step.time, step.colour[0], step.dash[0]);
      curve('frequency', step.frequency, step.colour[1], step.dash[1]);
      root.querySelector('strong').textContent = step.ms;
      root.querySelector('output').textContent = step.said;
      slider.setAttribute('aria-valuetext', step.ms);
    }

    slider.addEventListener('input', move);
    move();
  }

  serPage.takeUp('window', start);
})();
