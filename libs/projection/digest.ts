import { createHash } from 'node:crypto';

import type { State } from '#state';

/**
 * SHA-256 (hex) over every entry and contribution of a storage, in key order, partition by partition: key, value and position.
 * Two folds of the same log give the same digest.
 */
export async function digestOfStorage(state: State, storage: string, partitions: number): Promise<string> {
  const hash = createHash('sha256');
  for (let p = 0; p < partitions; p++)
    for (const space of ['entry', 'part'] as const) {
      let after: string | undefined;
      for (;;) {
        const page = await state.scan(storage, p, { space, limit: 500, ...(after === undefined ? {} : { after }) });
        for (const e of page.entries) hash.update(`${p} ${space} ${e.key}\n${e.value}\n${e.position}\n`);
        if (!page.more) break;
        after = page.entries.at(-1)!.key;
      }
    }
  return hash.digest('hex');
}
