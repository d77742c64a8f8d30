import { audited } from '#access';
import type { AuditView } from '#projection';
import type { Core } from './core.js';

/** Audit records of rebuilds and switches of views. */
export function auditView({ engine }: Pick<Core, 'engine'>): AuditView {
  return async ({ action, view, by, before, after }) => {
    const who = { keyId: by, owner: 'hub', system: 'hub' };
    const act = { who, what: action, target: view, before, after };
    await audited({ log: engine.log, now: Date.now }, act, () => Promise.resolve());
  };
}
