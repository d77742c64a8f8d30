import { launch } from './launch.js';
import { USAGE } from './options.js';

process.exit(await launch(process.argv.slice(2), { start: 'npm start --', cli: './bin/simpul.mjs', usage: USAGE }));
