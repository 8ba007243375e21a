"""The JavaScript of :mod:`chapters.protocols.protocol_widget`: it draws what the reader picked."""

from __future__ import annotations

from ser.plots.style import BLUE, CARD, GREEN, GREY, GRID, INK, MUTED, VERMILLION

WIDTH, HEIGHT = 520, 534
"""Pixels of a drawing that a telephone shrinks to two thirds."""

SCRIPT = """function(name, data) {
  var root = document.getElementById(name);
  if (!root) return;
  var svg = root.querySelector('svg'), said = root.querySelector('output');
  var corpus = root.querySelector('select.corpus'), model = root.querySelector('select.model');
  var compare = root.querySelector('input[type=checkbox]');
  var NS = 'http://www.w3.org/2000/svg';
  function put(tag, at, text) {
    var e = document.createElementNS(NS, tag);
    for (var k in at) e.setAttribute(k, at[k]);
    if (text !== undefined) e.textContent = text;
    svg.appendChild(e);
    return e;
  }
  function word(x, y, text, more) {
    var at = {x: x, y: y};
    for (var k in more || {}) at[k] = more[k];
    return put('text', at, text);
  }
  function rule(x1, y1, x2, y2, colour, width, dash) {
    put('line', {x1: x1, x2: x2, y1: y1, y2: y2, stroke: colour, 'stroke-width': width || 1,
      'stroke-dasharray': dash || ''});
  }
  var END = {'text-anchor': 'end'}, MID = {'text-anchor': 'middle'}, BOLD = {'font-weight': 'bold'};
  function picked(key) {
    return root.querySelector('fieldset.' + key + ' input:checked').value;
  }
  function signed(v) { return (v < 0 ? '\\u2212' : '+') + Math.abs(v).toFixed(1); }
  function percents(counts) {
    return counts.map(function(row) {
      var sum = row.reduce(function(a, b) { return a + b; }, 0);
      return row.map(function(v) { return sum ? 100 * v / sum : null; });
    });
  }
  function models() {
    var kept = model.value, names = Object.keys(data.table[corpus.value]);
    model.textContent = '';
    names.forEach(function(n) {
      var o = document.createElement('option');
      o.textContent = o.value = n;
      model.appendChild(o);
    });
    model.value = names.indexOf(kept) >= 0 ? kept : data.start[corpus.value];
  }
  function strip(now, base, shown) {
    var x = function(v) { return 20 + v * 4.8; };
    word(20, 18, 'UA in percent, 95 % interval over speakers', BOLD);
    for (var v = 0; v <= 100; v += 25) {
      rule(x(v), 28, x(v), 76, '@GRID@');
      word(x(v), 94, v === 25 ? '25, chance' : v, v === 0 ? {} : v === 100 ? END : MID);
    }
    if (shown) {
      put('path', {'class': 'base', d: 'M' + x(base.ua) + ' 57 l7 8 l-7 8 l-7 -8 z',
        fill: '@CARD@', stroke: '@VERMILLION@', 'stroke-width': 2.4});
      if (base.low !== null) rule(x(base.low), 65, x(base.high), 65, '@VERMILLION@', 2);
    }
    if (now.low !== null) rule(x(now.low), 42, x(now.high), 42, '@BLUE@', 4);
    put('circle', {'class': 'now', cx: x(now.ua), cy: 42, r: 8, fill: '@BLUE@'});
  }
  function matrix(now, base, shown) {
    var a = percents(now.counts), b = percents(base.counts), left = 78, top = 150, size = 46;
    word(8, 124, shown ? 'difference, points' : 'confusion, percent', BOLD);
    data.emotions.forEach(function(e, r) {
      word(left - 6, top + size * r + 29, e, {'text-anchor': 'end', 'font-size': 15});
      word(left + size * r + 23, top - 7, e.slice(0, 3), {'text-anchor': 'middle',
        'font-size': 15});
      data.emotions.forEach(function(_, c) {
        var v = a[r][c], text = v === null ? '\\u2013' : v.toFixed(0), fill = '@BLUE@';
        var strength = v === null ? 0 : v / 100;
        if (shown && v !== null && b[r][c] !== null) {
          v = v - b[r][c];
          text = Math.round(v) === 0 ? '0' : (v < 0 ? '\\u2212' : '+') + Math.abs(v).toFixed(0);
          fill = v < 0 ? '@VERMILLION@' : '@BLUE@';
          strength = Math.min(1, Math.abs(v) / 40) * 0.55;
        }
        put('rect', {x: left + size * c, y: top + size * r, width: size - 2, height: size - 2,
          fill: fill, 'fill-opacity': (0.04 + 0.96 * strength).toFixed(3), stroke: '@GRID@'});
        word(left + size * c + 22, top + size * r + 28, text, {'class': 'cell',
          'text-anchor': 'middle', fill: strength > 0.6 ? '#ffffff' : '@INK@',
          'font-weight': r === c ? 'bold' : 'normal'});
      });
    });
    word(left + 2 * size, top + 4 * size + 18, 'answered; rows: true', {'text-anchor': 'middle',
      'font-size': 15});
  }
  function curve(side, now) {
    var left = 326, right = 510, top = 150, bottom = 334, runs = side.curve;
    word(left - 30, 124, 'UA after each epoch', BOLD);
    var n = runs.test.length;
    if (!n) {
      word(left - 30, 160, 'fitted in one go,');
      word(left - 30, 182, 'no epochs');
      return;
    }
    var x = function(k) { return n < 2 ? left : left + k / (n - 1) * (right - left); };
    var y = function(v) { return bottom - v / 100 * (bottom - top); };
    [0, 50, 100].forEach(function(v) {
      rule(left, y(v), right, y(v), '@GRID@');
      word(left - 5, y(v) + 5, v, END);
    });
    [['train', '@GREY@', '6 4'], ['test', '@BLUE@', '']].forEach(function(l) {
      if (!runs[l[0]].length) return;
      put('polyline', {'class': l[0], fill: 'none', stroke: l[1], 'stroke-width': 2.6,
        'stroke-dasharray': l[2], points: runs[l[0]].map(function(v, k) {
          return x(k).toFixed(1) + ',' + y(v).toFixed(1); }).join(' ')});
    });
    if (runs.train.length) {
      rule(left, bottom - 14, left + 22, bottom - 14, '@GREY@', 2.6, '6 4');
      word(left + 27, bottom - 9, 'train', {'font-size': 15});
    }
    rule(left + 84, bottom - 14, left + 106, bottom - 14, '@BLUE@', 2.6);
    word(left + 111, bottom - 9, 'test', {'font-size': 15});
    word(left, bottom + 20, '1', MID);
    word(right, bottom + 20, n, END);
    word((left + right) / 2, bottom + 20, 'epoch', MID);
    now.epochs.forEach(function(e) {
      put('line', {'class': 'chosen', x1: x(e - 1), x2: x(e - 1), y1: top, y2: bottom - 28,
        stroke: '@VERMILLION@', 'stroke-width': 1.6, 'stroke-dasharray': '3 3'});
    });
    word(right, top - 7, 'dotted: chosen', {'text-anchor': 'end', 'font-size': 15});
  }
  function speakers(side, now, base, shown) {
    var names = side.speakers, n = names.length, left = 50, right = 508, top = 400, bottom = 505;
    word(8, 382, 'UA of each speaker, percent' + (shown ? ' (line: unseen, last)' : ''), BOLD);
    [0, 50, 100].forEach(function(v) {
      var y = bottom - v / 100 * (bottom - top);
      rule(left, y, right, y, '@GRID@');
      word(left - 5, y + 5, v, END);
    });
    var same = 0, step = (right - left) / n;
    while (n > 1 && same < names[0].length - 1 && names.every(function(s) {
      return s.length > same + 1 && s[same] === names[0][same]; })) same += 1;
    names.forEach(function(s, k) {
      var x = left + k * step, v = now.each[k];
      if (v !== null) put('rect', {'class': 'speaker', x: (x + step * 0.15).toFixed(1),
        y: bottom - v / 100 * (bottom - top), width: (step * 0.7).toFixed(1),
        height: v / 100 * (bottom - top), fill: '@BLUE@'});
      var b = base.each[k];
      if (shown && b !== null) {
        var y = bottom - b / 100 * (bottom - top);
        rule(x + step * 0.05, y, x + step * 0.95, y, '@CARD@', 5);
        rule(x + step * 0.05, y, x + step * 0.95, y, '@VERMILLION@', 3);
      }
      if (n <= 12) word(x + step / 2, bottom + 20, s.slice(same, same + 5),
        {'text-anchor': 'middle', 'font-size': 15});
    });
    if (n > 12) word((left + right) / 2, bottom + 20, n + ' speakers, in order of name', MID);
  }
  function draw() {
    var row = data.table[corpus.value][model.value], side = row[picked('side')];
    ['last', 'dev', 'test'].forEach(function(s) {
      var input = root.querySelector('fieldset.epoch input[value=' + s + ']');
      input.disabled = !(s in side);
      input.parentNode.style.opacity = s in side ? 1 : 0.55;
    });
    var key = picked('epoch');
    if (!(key in side)) {
      key = 'last';
      root.querySelector('fieldset.epoch input[value=last]').checked = true;
    }
    var now = side[key], base = row.unseen.last, shown = compare.checked;
    svg.textContent = '';
    strip(now, base, shown);
    matrix(now, base, shown);
    curve(side, now);
    speakers(side, now, base, shown);
    var text = corpus.value + ', ' + model.value + ', ' +
      (side === row.random ? 'random split' : 'unseen speakers') + ' (' + side.folds +
      ' folds, ' + side.n + ' utterances, ' + side.seeds + (side.seeds === 1 ? ' seed' : ' seeds') +
      '), ' + (side.curve.test.length ? data.selections[key] : 'no epochs') + ': UA ' +
      now.ua.toFixed(1) + ' %' + (now.low === null ? '' : ', interval ' + now.low.toFixed(1) +
      ' to ' + now.high.toFixed(1)) + '.';
    var differs = now.ua - base.ua;
    if (shown) text += now === base ? ' This is what the others are compared with.' :
      ' ' + signed(differs) + ' points against unseen speakers, last epoch.';
    if (key === 'test') text += ' The test chose its own epoch: no estimate of anything.';
    said.textContent = text;
    svg.setAttribute('aria-label', text + ' Recalls: ' + data.emotions.map(function(e, k) {
      var v = percents(now.counts)[k][k];
      return e + ' ' + (v === null ? 'none' : v.toFixed(0) + ' %'); }).join(', ') + '.');
  }
  corpus.addEventListener('change', function() { models(); draw(); });
  model.addEventListener('change', draw);
  root.querySelectorAll('input').forEach(function(i) { i.addEventListener('change', draw); });
  root.querySelector('.controls').hidden = false;
  models();
  draw();
}"""
"""Called with the figure's id and the table; colours are put in below."""

for _name, _colour in {
    "BLUE": BLUE,
    "CARD": CARD,
    "GREEN": GREEN,
    "GREY": GREY,
    "GRID": GRID,
    "INK": INK,
    "MUTED": MUTED,
    "VERMILLION": VERMILLION,
}.items():
    SCRIPT = SCRIPT.replace(f"@{_name}@", _colour)
