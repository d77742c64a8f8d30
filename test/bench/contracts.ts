import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CatalogueIndex, readProperties, schemaValue, registrySubject } from '#registry';

/** Of the repository: the bench is started from its root. */
export const SCHEMAS = 'schemas';
export const PARTITIONS = 8;

/** The repository's contracts, numbered as they come. */
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
