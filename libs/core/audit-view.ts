import { audited } from '#access';
import type { AuditView } from '#projection';
import type { Core } from './core.js';

/** Writes an audit record before and after each rebuild or switch of a view. */
export function auditView({ log, now }: Pick<Core, 'log' | 'now'>): AuditView {
  return ({ action, view, by, before, after }, change) =>
    audited({ log, now }, { who: by, what: action, target: view, before, after }, change, (row) => row);
}
