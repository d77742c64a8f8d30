// npm start: installs and builds if needed, then starts the launcher (deploy/local/up.ts). package.json starts this file with `exec`, because
// a shell in between would end at Ctrl-C before the hub has drained its requests. Windows shells have no exec: run `node bin/start.mjs` there.
import { join } from 'node:path';
import { bootstrap, environment, foreground, root } from './bootstrap.mjs';

const node = await bootstrap();
foreground(
  node,
  [
    '--enable-source-maps',
    '--disable-warning=ExperimentalWarning',
    join(root, 'dist/deploy/local/up.js'),
    ...process.argv.slice(2),
  ],
  { ...environment(node), NODE_COMPILE_CACHE: join(root, '.simpul/cache') },
);
