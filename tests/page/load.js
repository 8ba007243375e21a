// The page's code as node has it: globalThis.serPage.
'use strict';
const path = require('node:path');
const chapters = path.join(__dirname, '..', '..', 'book', 'chapters');
require(path.join(chapters, 'shared', 'page.js'));
for (const name of ['signal', 'features', 'network', 'sound', 'judge', 'enrolment', 'microphone',
  'knobs']) {
  require(path.join(chapters, 'lab', `${name}.js`));
}
