// npm start: brings what is lacking, then hands over to the launcher (deploy/local/up.ts). The script says `exec`, so that no shell of npm's stands
// between: it would die of Ctrl-C before the hub has drained. A Windows shell knows no exec: there, `node bin/start.mjs`.
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
