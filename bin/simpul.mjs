#!/usr/bin/env node
// simpul: the command line. Installs Node 24 and builds first if needed, like npm start.
import { join } from 'node:path';
import { bootstrap, environment, foreground, root } from './bootstrap.mjs';

const node = await bootstrap();
foreground(
  node,
  [
    '--enable-source-maps',
    '--disable-warning=ExperimentalWarning',
    join(root, 'dist/apps/cli/src/main.js'),
    ...process.argv.slice(2),
  ],
  { ...environment(node), NODE_COMPILE_CACHE: join(root, '.simpul/cache') },
);
