import { Fault } from '#faults';
import type { CompiledView, Got, StateReader } from '#projection';
import type { Catalogue } from '#registry';
import type { Units } from '#units';
import type { FastifyRequest } from 'fastify';
import type { Guesses } from './guesses.js';
import { isPseudonym } from './pseudonym.js';
import { texts } from '../texts.js';

export interface StateDoorDeps {
  readonly reader: StateReader;
  readonly catalogue: Pick<Catalogue, 'newest' | 'stream'>;
  /** Where filters look up the names of units. */
  readonly units: Pick<Units, 'get' | 'holders' | 'list'>;
  /** For lookups by clear subject. */
  readonly pseudonymKey: Uint8Array;
  readonly subjectBytes: number;
  readonly guesses: Guesses;
}

export type ViewRequest = FastifyRequest<{ Params: { view: string } }>;

/** Fault not_found. */
export function viewOf(views: ReadonlyMap<string, CompiledView>, name: string): CompiledView {
  const view = views.get(name);
  if (!view) throw new Fault('not_found');
  return view;
}

/** Names of the fields that make the subject of a view's events. */
export function subjectFields(catalogue: Pick<Catalogue, 'newest'>, view: CompiledView): readonly string[] {
  return catalogue.newest(view.sources[0]!.type)?.subject ?? [];
}

/** The key, unless it could be the clear identifier of a person, which must not be in a URL (R11): Fault clear_subject_refused. */
export function checkedKey(view: CompiledView, key: string, name: string): string {
  if (view.pseudonym && !isPseudonym(key)) {
    throw new Fault('clear_subject_refused', {
      problems: [
        { pointer: name === 'key' ? '/key' : `?${name}`, reason: texts.no_pseudonym(), expected: texts.pseudonym() },
      ],
    });
  }
  return key;
}

/** The entry. Faults not_found, view_rebuilding, view_behind, view_not_folding. */
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
