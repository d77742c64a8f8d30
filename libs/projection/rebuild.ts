import type { Actor } from '#access';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { CompiledView } from './compile.js';
import type { GenerationRow, Generations } from './generations.js';
import { needWholeHistory } from './history.js';

/** An intended change of the generation row of a view. */
export interface ViewAct {
  readonly action: 'view.rebuild' | 'view.switch';
  readonly view: string;
  readonly by: Actor;
  readonly before: GenerationRow | undefined;
  readonly after: GenerationRow;
}

/**
 * Writes the audit record of a change: the intent is durable before `change` begins, and the record is closed with what `change` answers, or with the
 * code of its failure. Without a durable record nothing changes (Fault not_durable).
 */
export type AuditView = (act: ViewAct, change: () => Promise<GenerationRow>) => Promise<GenerationRow>;

/** The actor of changes that the projector makes by itself. */
export const PROJECTOR_ACTOR: Actor = { keyId: 'hub:projector', owner: 'hub', system: 'projector' };

export interface ChangeDeps {
  readonly generations: Generations;
  readonly audit?: AuditView | undefined;
}

/**
 * Changes the generation row of a view under audit. `decide` answers undefined when there is nothing to change; when it throws a Fault, the audit record
 * is closed as failed.
 */
export async function changeView(
  deps: ChangeDeps,
  what: Pick<ViewAct, 'action' | 'view' | 'by'>,
  decide: (row: GenerationRow | undefined) => GenerationRow | undefined,
): Promise<GenerationRow> {
  const before = deps.generations.row(what.view);
  // A change that the row known here already refuses needs no audit record.
  const after = decide(before);
  if (after === undefined) return before!;
  const act: ViewAct = { ...what, before, after };
  const change = async (): Promise<GenerationRow> => (await deps.generations.change(what.view, decide))!;
  return deps.audit ? deps.audit(act, change) : change();
}

/**
 * Asks for a new generation of a view: projectors fold it beside the one that serves and switch when it has caught up. Works in any process.
 * Faults conflict: one is being built; view_history_missing: a stream of the view has deleted events (R6.2).
 */
export async function requestRebuild(
  deps: ChangeDeps & { readonly log: Pick<EventLog, 'describe'> },
  view: CompiledView,
  by: Actor,
): Promise<GenerationRow> {
  await needWholeHistory(deps.log, view);
  return changeView(deps, { action: 'view.rebuild', view: view.name, by }, (row) => {
    if (row?.building !== undefined) throw new Fault('conflict', { detail: 'a generation is being built' });
    const serving = row?.serving ?? 1;
    return { serving, building: serving + 1, fingerprint: view.fingerprint };
  });
}
