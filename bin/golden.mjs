// Writes schemas/golden/<type>.json and .avro for contracts that have none yet. Existing files are never changed: they prove that
// the codec still writes the same bytes. Needs a build.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bootstrap.mjs';
import { contractFiles } from './gen-catalogue.mjs';

const room = process.argv[2] ?? join(root, 'dist/libs/avro/index.js');
const { compileEventContract, sample } = await import(pathToFileURL(room).href);
const folder = join(root, 'schemas/golden');
mkdirSync(folder, { recursive: true });
for (const file of contractFiles(root)) {
  const contract = compileEventContract(readFileSync(join(root, 'schemas', file), 'utf8'));
  const base = join(folder, contract.properties.type);
  if (existsSync(`${base}.avro`)) continue;
  const encoded = contract.encode(sample(contract, 0), 0);
  if (!encoded.ok) throw new Error(`${file}: ${JSON.stringify(encoded.problems)}`);
  writeFileSync(`${base}.avro`, encoded.value.subarray(5));
  const plain = contract.decode(encoded.value, { framed: true });
  writeFileSync(`${base}.json`, `${JSON.stringify(plain, null, 2)}\n`);
  process.stdout.write(`${contract.properties.type}\n`);
}
