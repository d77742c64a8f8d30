import { Fault } from '#faults';
import type { CompiledView } from './compile.js';
import type { GenerationRow, Generations } from './generations.js';

/** A change of the row of a view, for the audit. Durable when the promise resolves. */
export type AuditView = (change: {
  readonly action: 'view.rebuild' | 'view.switch';
  readonly view: string;
  readonly by: string;
  readonly before: GenerationRow | undefined;
  readonly after: GenerationRow;
}) => Promise<void>;

/**
 * Asks for a new generation of a view: projectors fold it beside the one that serves and switch when it has caught up. Works in any process.
 * Fault conflict: one is being built.
 */
export async function requestRebuild(
  deps: { readonly generations: Generations; readonly audit?: AuditView },
  view: CompiledView,
  by: string,
): Promise<GenerationRow> {
  let before: GenerationRow | undefined;
  const after = await deps.generations.change(view.name, (row) => {
    if (row?.building !== undefined) throw new Fault('conflict', { detail: 'a generation is being built' });
    before = row;
    const serving = row?.serving ?? 1;
    return { serving, building: serving + 1, fingerprint: view.fingerprint };
  });
  await deps.audit?.({ action: 'view.rebuild', view: view.name, by, before, after: after! });
  return after!;
}
