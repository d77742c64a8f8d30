import { audited } from '#access';
import type { AuditView } from '#projection';
import type { Core } from './core.js';

/** Audit records of rebuilds and switches of views. */
export function auditView({ engine }: Pick<Core, 'engine'>): AuditView {
  return ({ action, view, by, before, after }, change) =>
    audited(
      { log: engine.log, now: Date.now },
      { who: by, what: action, target: view, before, after },
      change,
      (row) => row,
    );
}
