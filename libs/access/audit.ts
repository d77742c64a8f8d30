import { Fault } from '#faults';
import type { EventLog, NewRecord } from '#log';
import { randomUUID } from 'node:crypto';
import type { Caller } from './access.js';

/** Audit records: one partition, kept without limit, read in order. */
export const AUDIT_TOPIC = '_simpul.audit';

/** Who did it: a key, or the hub itself at a start or on its own machine. */
export type Actor = Pick<Caller, 'keyId' | 'owner' | 'system'>;
/** The hub itself. */
export const HUB_ACTOR: Actor = { keyId: 'hub', owner: 'hub', system: 'hub' };

export interface AuditRecord {
  /** The same in the intent and in its closing record. */
  readonly id: string;
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly phase: 'intent' | 'done' | 'failed';
  readonly who: Actor;
  /** `key.create`, `key.revoke`, … */
  readonly what: string;
  /** What it was done to: a key id, a subject. */
  readonly target: string;
  readonly why?: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Fault code of a failed action. */
  readonly code?: string;
}

export interface Act {
  readonly who: Actor;
  readonly what: string;
  readonly target: string;
  readonly why?: string | undefined;
  /** State before and after, never with secrets. `after` of the closing record is what the action answers through `told`. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * Does something that must be accounted for: first an intent record, durable, then the action, then a closing record.
 * Without a durable intent nothing is done (Fault not_durable). When the closing record fails the action stands; the intent alone tells of it.
 * `told` makes the `after` of the closing record from the answer.
 */
export async function audited<T>(
  deps: { readonly log: Pick<EventLog, 'append'>; readonly now: () => number },
  act: Act,
  action: () => Promise<T>,
  told?: (answer: T) => unknown,
): Promise<T> {
  const id = randomUUID();
  const write = (more: Partial<AuditRecord> & { phase: AuditRecord['phase'] }) =>
    append(deps.log, { id, at: new Date(deps.now()).toISOString(), ...shown(act), ...more });
  if (!(await write({ phase: 'intent' })))
    throw new Fault('not_durable', { detail: 'the audit record', retryAfterMs: 1_000 });
  let answer: T;
  try {
    answer = await action();
  } catch (e) {
    const code = (e as { code?: unknown } | null)?.code;
    await write({ phase: 'failed', code: typeof code === 'string' ? code : 'internal' });
    throw e;
  }
  await write({ phase: 'done', ...(told ? { after: told(answer) } : {}) });
  return answer;
}

export interface AuditPage {
  readonly records: readonly (AuditRecord & { readonly offset: string })[];
  readonly next: bigint;
  readonly end: boolean;
}

/** Audit records from an offset on, oldest first. Fault log_unavailable, offset_out_of_range. */
export async function readAudit(log: Pick<EventLog, 'read'>, from: bigint, limit: number): Promise<AuditPage> {
  const batch = await log.read(AUDIT_TOPIC, 0, from, { maxRecords: limit });
  if (batch.kind === 'out_of_range') throw new Fault('offset_out_of_range', { detail: `earliest ${batch.low}` });
  const records = batch.records.map((r) => ({
    offset: String(r.offset),
    ...(JSON.parse(r.value?.toString() ?? '{}') as AuditRecord),
  }));
  return { records, next: batch.next, end: batch.next >= batch.high };
}

/** Of a caller only who it is: roles are told by the records of its key. */
function shown({ who, ...act }: Act): Omit<AuditRecord, 'id' | 'at' | 'phase'> {
  const { keyId, owner, system } = who;
  const given = Object.fromEntries(Object.entries(act).filter(([, v]) => v !== undefined)) as unknown as Omit<
    Act,
    'who' | 'why'
  > & { why?: string };
  return { who: { keyId, owner, system }, ...given };
}

async function append(log: Pick<EventLog, 'append'>, record: AuditRecord): Promise<boolean> {
  const one: NewRecord = { key: Buffer.from(record.target), value: Buffer.from(JSON.stringify(record)), headers: [] };
  return (await log.append(AUDIT_TOPIC, 0, [one])).kind === 'accepted';
}
