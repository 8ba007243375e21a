// A page's markup -> XHTML that a reader of books takes: formulas as MathML, drawings whose colours
// stand in them (many readers know neither scripts nor variables of CSS).
async function toXhtml(markup) {
  const box = document.createElement('div');
  box.innerHTML = markup;
  document.body.replaceChildren(box);
  for (const formula of box.querySelectorAll('.math')) {
    const tex = formula.textContent.trim();
    const made = await MathJax.tex2mmlPromise(tex.slice(2, -2), {display: tex.startsWith('\\[')});
    const math = new DOMParser().parseFromString(made, 'application/xml').documentElement;
    for (const part of [math, ...math.querySelectorAll('*')]) {
      for (const {name} of [...part.attributes]) {
        if (/^(data-|class$|style$)/.test(name)) part.removeAttribute(name);
      }
    }
    math.setAttribute('alttext', tex.slice(2, -2).trim());
    formula.replaceChildren(document.importNode(math, true));
  }
  const SHAPE = ['fill', 'fill-opacity', 'stroke', 'stroke-width'];
  const TEXT = ['fill', 'font-style', 'font-weight'];
  const drawings = [...box.querySelectorAll('svg')];
  const parts = drawings.flatMap(
    svg => [...svg.querySelectorAll('path, rect, circle, line, polyline, text, tspan')]);
  const looks = parts.map(part => {
    const style = getComputedStyle(part);
    return (/^t/.test(part.tagName) ? TEXT : SHAPE).map(name => [name, style.getPropertyValue(name)]);
  });
  parts.forEach((part, k) => {
    for (const [name, value] of looks[k]) part.setAttribute(name, value);
    part.removeAttribute('class');
  });
  for (const svg of drawings) {
    svg.removeAttribute('class');
    for (const rules of svg.querySelectorAll('style')) rules.remove();
  }
  return new XMLSerializer().serializeToString(box);
}
