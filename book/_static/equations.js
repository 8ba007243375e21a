// An equation that is wider than its column is set smaller, down to six tenths; beyond that it
// scrolls. On a telephone nothing says that an equation goes on to the right.
(() => {
  const SMALLEST = 0.6;
  function fit() {
    const boxes = [...document.querySelectorAll('article mjx-container')];
    const pairs = boxes.map(box => [box.querySelector('mjx-math'), column(box)]);
    const both = pairs.filter(([equation, around]) => equation && around);
    for (const [equation] of both) equation.style.fontSize = '';
    const sizes = both.map(([equation, around]) =>
      [equation.getBoundingClientRect().width, around.clientWidth]);
    sizes.forEach(([wide, room], k) => {
      if (!room || wide <= room) return;
      both[k][0].style.fontSize = `${100 * Math.max(SMALLEST, 0.985 * room / wide)}%`;
    });
  }
  function column(box) {
    return box.getAttribute('display') ? box.parentElement : box.closest('p, li, dd');
  }
  let width = 0, waiting;
  addEventListener('load', () => {
    const ready = window.MathJax && MathJax.startup && MathJax.startup.promise;
    Promise.resolve(ready).then(fit);
  });
  addEventListener('resize', () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(fit, 100);
  });
  document.addEventListener('toggle', fit, true);
})();
