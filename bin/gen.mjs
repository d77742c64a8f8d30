// Writes every generated file. With `--check` it writes nothing and ends with 1 if a file is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import prettier from 'prettier';
import { root } from './bootstrap.mjs';
import { generators } from './generators.mjs';

const check = process.argv.includes('--check');
let stale = 0;
for (const [file, make] of Object.entries(generators)) {
  const raw = await make();
  const text = /\.(json|mjs|ts)$/.test(file)
    ? await prettier.format(raw, { ...(await prettier.resolveConfig(join(root, file))), filepath: file })
    : raw;
  const path = join(root, file);
  const now = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (now === text) continue;
  stale++;
  if (check) process.stderr.write(`${file} is stale: run npm run gen\n`);
  else {
    writeFileSync(path, text);
    process.stdout.write(`${file}\n`);
  }
}
process.exit(check && stale > 0 ? 1 : 0);
