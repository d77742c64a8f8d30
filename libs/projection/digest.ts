import { createHash } from 'node:crypto';

import type { State } from '#state';
import type { CompiledView } from './compile.js';

/**
 * SHA-256 (hex) over every entry and contribution of a storage of this view, in key order, partition by partition: key, value and, where
 * one stream feeds the view, position. Two folds of the same log give the same digest.
 */
export async function digestOfView(state: State, view: CompiledView, storage: string): Promise<string> {
  const hash = createHash('sha256');
  for (let p = 0; p < view.partitions; p++)
    for (const space of ['entry', 'part'] as const) {
      let after: string | undefined;
      for (;;) {
        const page = await state.scan(storage, p, { space, limit: 500, ...(after === undefined ? {} : { after }) });
        for (const e of page.entries) {
          // Of several streams it is not determined which wrote last (R5.3).
          const position = view.streams.length === 1 ? e.position : '';
          hash.update(`${p} ${space} ${e.key}\n${e.value}\n${position}\n`);
        }
        if (!page.more) break;
        after = page.entries.at(-1)!.key;
      }
    }
  return hash.digest('hex');
}
