import { Fault } from '#faults';
import { checkOwnerSaid, compileView, type CompiledView, type Generations, type ViewDefinition } from '#projection';
import type { Catalogue, EventType } from '#registry';
import type { Logger } from '#telemetry';
import type { Concern, Concerns } from './concerns.js';

export type UndeclaredContract = Pick<EventType, 'type' | 'restricted' | 'actor'>;

/** What an earlier version has registered without saying whose facts or entries it holds. It goes on as it was, and is told until it is mended. */
export interface UndeclaredReport {
  /** A contract without `actor` (R10.6), or that it has one now. */
  contract(type: UndeclaredContract): void;
  /** A view without `owner` or `ownerWhy` (R5.10). */
  view(view: CompiledView): void;
}

export function undeclaredReport(logger: Pick<Logger, 'warn'>, concerns: Concerns): UndeclaredReport {
  const note = (concern: Concern, text: string): void => {
    // A field named `subject` would be redacted.
    const { subject: about } = concern;
    if (concerns.note(concern)) logger.warn({ about }, text);
  };
  return {
    contract: ({ type, restricted, actor }) => {
      // What needs no key names no restricted type (R12.6).
      const about = { subject: restricted ? 'restricted' : type, setting: 'actor' };
      if (actor !== undefined) {
        // Another restricted type may still lack it.
        if (!restricted) concerns.settle(about);
        return;
      }
      note(
        {
          ...about,
          actual: 'not said: whoever may publish the type may state facts of every unit',
          needed: 'the contract in schemas/ with actor (the field that names the acting office, or null, and why)',
        },
        'event type without actor, registered by an earlier version',
      );
    },
    view: ({ name }) =>
      note(
        {
          subject: name,
          setting: 'owner',
          actual: 'not said: whoever may publish an event of the view may change every entry',
          needed: 'owner and ownerWhy in schemas/views; the view is folded again then',
        },
        'view without owner, registered by an earlier version',
      ),
  };
}

/** Compiles the views. One that says no owner is told when this deployment has it already, and refused (Fault `invalid_schema`) when it is new or changed. */
export function compileViews(
  definitions: readonly ViewDefinition[],
  catalogue: Catalogue,
  generations: Pick<Generations, 'row'>,
  report: UndeclaredReport,
): CompiledView[] {
  return definitions.map((def) => {
    const view = compileView(def, catalogue);
    const problems = checkOwnerSaid(def);
    if (problems.length === 0) return view;
    const registered = generations.row(def.name)?.fingerprint;
    if (registered !== view.fingerprint && registered !== view.ownerless)
      throw new Fault('invalid_schema', { detail: `view ${def.name}`, problems });
    report.view(view);
    return view;
  });
}
