import type { Caller } from '#access';
import { Fault } from '#faults';
import type { CompiledView, GenerationRow, Got, StateReader } from '#projection';
import type { FastifyRequest } from 'fastify';

export interface StateDoorDeps {
  readonly reader: StateReader;
  /** For look-ups by clear subject. */
  readonly pseudonymKey: Uint8Array;
  readonly subjectBytes: number;
  /** Begins a new generation (requestRebuild). */
  readonly rebuild: (view: CompiledView, by: Caller) => Promise<GenerationRow>;
}

export type ViewRequest = FastifyRequest<{ Params: { view: string } }>;

const PSEUDONYM = /^[a-z2-7]{26}$/;

export function viewOf(deps: StateDoorDeps, req: ViewRequest): CompiledView {
  const view = deps.reader.views.get(req.params.view);
  if (!view) throw new Fault('not_found');
  return view;
}

/** R11: a clear personal identifier never stands in an address. */
export function checkedKey(view: CompiledView, key: string, name: string): string {
  if (view.pseudonym && !PSEUDONYM.test(key)) {
    throw new Fault('clear_subject_refused', {
      problems: [{ pointer: name === 'key' ? '/key' : `?${name}`, reason: 'no pseudonym', expected: '26 of a-z2-7' }],
    });
  }
  return key;
}

/** The entry, or the Fault that says why there is none to show. */
export function found(got: Got): Extract<Got, { kind: 'entry' }> {
  switch (got.kind) {
    case 'entry':
      return got;
    case 'absent':
      throw new Fault('not_found');
    case 'rebuilding':
      throw new Fault('view_rebuilding', { retryAfterMs: 1_000 });
    case 'behind':
      throw new Fault('view_behind', { retryAfterMs: 1_000 });
    case 'not_folding':
      throw new Fault('view_not_folding');
  }
}
