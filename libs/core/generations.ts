import type { GenerationRow, Generations } from '#projection';
import { refuseDamaged, type MetaRow, type MetaTable } from '#registry';

const keyOf = (view: string): string => `view/${view}`;

function rowOf(row: MetaRow | undefined): GenerationRow | undefined {
  const { serving, building, fingerprint } = row ?? {};
  if (typeof serving !== 'number' || typeof fingerprint !== 'string') return undefined;
  return typeof building === 'number' ? { serving, building, fingerprint } : { serving, fingerprint };
}

/** The generations of views, stored as rows of `_simpul.meta`: one writer at a time (R4), read by every process. */
export function generationsOf(meta: MetaTable): Generations {
  return {
    row: (view) => rowOf(meta.get(keyOf(view))),
    change: (view, decide) =>
      meta.write((rows) => {
        refuseDamaged(meta, keyOf(view));
        const now = rowOf(rows.get(keyOf(view)));
        const next = decide(now);
        if (next === undefined) return { changes: [], result: now };
        return { changes: [{ key: keyOf(view), row: { ...next } }], result: next };
      }),
    onChange: (listener) =>
      meta.onChange((key) => {
        if (key.startsWith('view/')) listener(key.slice('view/'.length));
      }),
  };
}
