import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '#faults';
import { readUnitSeed, type UnitSeed } from '#units';
import { parseView, type ViewDefinition } from '#projection';

const root = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../schemas/' : '../../schemas/', import.meta.url),
);

/**
 * The Avro schemas that come with the product, then those of another folder, as JSON text. The registry topic is the truth: a start registers only schemas that a
 * subject does not have. Faults `invalid_settings` when there is no such folder.
 */
export function readContracts(more?: string): readonly string[] {
  if (more !== undefined && !statSync(more, { throwIfNoEntry: false })?.isDirectory())
    throw new Fault('invalid_settings', { detail: `SIMPUL_CONTRACTS: ${more}` });
  return [root, ...(more === undefined ? [] : [more])].flatMap((cwd) =>
    globSync('**/*.avsc', { cwd })
      .toSorted()
      .map((file) => readFileSync(join(cwd, file), 'utf8')),
  );
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
