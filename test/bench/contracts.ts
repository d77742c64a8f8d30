import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CatalogueIndex, readProperties, schemaValue, registrySubject } from '#registry';

/** Folder of the contracts, relative to the root of the repository, where the bench is started. */
export const SCHEMAS = 'schemas';
export const PARTITIONS = 8;

/** The catalogue of the contracts, with schema ids in the order of the files. */
export function catalogueOfFiles(): CatalogueIndex {
  const catalogue = new CatalogueIndex();
  let id = 0;
  for (const file of globSync('**/*.avsc', { cwd: SCHEMAS }).toSorted()) {
    const schema = readFileSync(join(SCHEMAS, file), 'utf8');
    const p = readProperties(schema);
    if (!p) continue;
    catalogue.putSchema(
      schemaValue({ subject: registrySubject(p), version: p.version, id: ++id, schema, deleted: false }),
    );
    catalogue.putStream(p.stream, p.partitions ?? PARTITIONS);
  }
  return catalogue;
}
