// Seconds that one answer of the page's forward pass takes; benchmarks/page.py gives model and sound.
'use strict';
const fs = require('node:fs');
const [given, rounds, ...library] = process.argv.slice(2);
for (const file of library) require(file);
const {model, wave} = JSON.parse(fs.readFileSync(given, 'utf8'));
const dual = new serPage.Dual(serPage.unpack(model)), sound = serPage.unpackWav(wave);
const wall = [], cpu = [];
for (let k = 0; k < 5 + Number(rounds); k += 1) {
  const start = performance.now(), used = process.cpuUsage();
  dual.hear(sound);
  const {user, system} = process.cpuUsage(used);
  if (k < 5) continue; // the compiler's turn
  wall.push((performance.now() - start) / 1e3);
  cpu.push((user + system) / 1e6);
}
const median = values => values.sort((a, b) => a - b)[values.length >> 1];
console.log(JSON.stringify({seconds: sound.length / 16000, wall: median(wall), cpu: median(cpu)}));
