// Before printing: mathematics is set, pictures are there, and what is wider than the page is set
// smaller, down to SMALLEST; beyond that lines break. Where one line of a listing is longer than
// that, it breaks at the usual size: else every line would be too small to read for its sake.
async function readyForPaper() {
  const SMALLEST = 0.62;
  const LISTING = 0.72;
  const LINES = 0.85;  // a number and its interval stay on one line if that makes a table no smaller
  const WHOLE = 340;  // pixels of a table that is not split over pages, a third of one
  if (window.MathJax) await MathJax.startup.promise;
  for (const twin of document.querySelectorAll('mjx-assistive-mml')) twin.remove();
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
  const shrink = (element, wide, room) => {
    const size = parseFloat(getComputedStyle(element).fontSize);
    element.style.fontSize = `${size * Math.max(SMALLEST, 0.985 * room / wide)}px`;
  };
  const room = element => element.parentElement.clientWidth;
  for (const equation of document.querySelectorAll('mjx-container[display] > mjx-math')) {
    const [wide, there] = [equation.getBoundingClientRect().width, room(equation)];
    if (wide > there) shrink(equation, wide, there);
  }
  for (const pre of document.querySelectorAll('pre')) {
    pre.style.whiteSpace = 'pre';
    const [wide, there] = [pre.scrollWidth, pre.clientWidth];
    if (wide > there && there > LISTING * wide) shrink(pre, wide, there);
    pre.style.whiteSpace = '';
  }
  for (const table of document.querySelectorAll('table')) {
    table.classList.add('lines');
    if (LINES * table.offsetWidth > room(table)) table.classList.remove('lines');
    if (table.offsetWidth > room(table)) shrink(table, table.offsetWidth, room(table));
    if (table.offsetWidth > room(table)) table.classList.add('tight');
    if (table.offsetHeight < WHOLE) table.classList.add('whole');
  }
  const body = document.body.getBoundingClientRect().right + 1;
  return [...document.querySelectorAll('body *')]
    .filter(element => element.getBoundingClientRect().right > body)
    .map(element => `${element.closest('[id]')?.id}: ${element.tagName}`);
}
