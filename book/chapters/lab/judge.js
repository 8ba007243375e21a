// Answers judged: a confusion matrix, the share that is right with its interval, Cohen's kappa.
(() => {
  'use strict';
  const page = globalThis.serPage ??= {};

  // Counts (classes, classes): rows are the true class, columns the answer.
  function confusion(truth, answers, classes) {
    const counts = Array.from({length: classes}, () => Array(classes).fill(0));
    truth.forEach((t, k) => { counts[t][answers[k]] += 1; });
    return counts;
  }

  // Wilson's interval of a share, 95 %.
  function wilson(right, count, z = 1.959964) {
    const p = right / count, square = z * z / count, middle = (p + square / 2) / (1 + square);
    const half = z / (1 + square) * Math.sqrt(p * (1 - p) / count + square / (4 * count));
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  }

  // Agreement beyond what chance gives; null where both always say one and the same word.
  function kappa(a, b, classes) {
    const share = (list, k) => list.filter(v => v === k).length / list.length;
    let chance = 0;
    for (let k = 0; k < classes; k += 1) chance += share(a, k) * share(b, k);
    const same = a.filter((v, k) => v === b[k]).length / a.length;
    return chance === 1 ? null : (same - chance) / (1 - chance);
  }

  // Lines of a CSV file; text with commas or quotes is quoted.
  function csv(rows) {
    const field = v => (/[",\n]/.test(v) ? `"${String(v).replace(/"/g, '""')}"` : String(v));
    return rows.map(row => `${row.map(field).join(',')}\n`).join('');
  }

  Object.assign(page, {confusion, csv, kappa, wilson});
})();
