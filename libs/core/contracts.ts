import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readUnitSeed, type UnitSeed } from '#units';
import { parseView, type ViewDefinition } from '#projection';

const root = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../schemas/' : '../../schemas/', import.meta.url),
);

/** The Avro schemas that come with the product, as JSON text. The registry topic is the truth: a start registers only schemas that a subject does not have. */
export function readContracts(): readonly string[] {
  return globSync('**/*.avsc', { cwd: root })
    .toSorted()
    .map((file) => readFileSync(`${root}${file}`, 'utf8'));
}

/** The view definitions that come with the product. */
export function readViews(): readonly ViewDefinition[] {
  return globSync('views/*.view.json', { cwd: root })
    .toSorted()
    .map((file) => parseView(readFileSync(`${root}${file}`, 'utf8')));
}

/** The units and external parties that a new deployment starts with. */
export function readUnits(): UnitSeed {
  return readUnitSeed(readFileSync(`${root}units.json`, 'utf8'));
}
