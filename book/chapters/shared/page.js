// What the scripts of all interactive drawings use; chapters.shared.widget puts it before each.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};

  // Calls start(root, data) once for every figure of a kind: data is the JSON in it, and its
  // controls, which stay hidden without JavaScript, are shown.
  function takeUp(kind, start) {
    for (const root of document.querySelectorAll(`figure.ser-${kind}:not([data-started])`)) {
      root.dataset.started = '';
      start(root, JSON.parse(root.querySelector('script[type="application/json"]').textContent));
      for (const controls of root.querySelectorAll('.controls')) controls.hidden = false;
    }
  }

  // An element of SVG, appended to its parent.
  function put(parent, tag, attributes, text) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  // Points of a polyline; x and y are functions of the place k, for k below the count.
  function points(count, x, y) {
    return Array.from({length: count}, (_, k) => `${x(k)},${y(k)}`).join(' ');
  }

  Object.assign(page, {takeUp, put, points});
})();
