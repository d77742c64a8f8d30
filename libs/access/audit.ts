import { Fault } from '#faults';
import { isSealBroken, sealed, type EventLog, type LogRecord, type NewRecord } from '#log';
import { randomUUID } from 'node:crypto';
import type { Caller } from './access.js';

/** Topic of the audit records: one partition, kept without limit. */
export const AUDIT_TOPIC = '_simpul.audit';

/** Who acts: a key, or the hub itself (at start-up, or by a command on its machine). */
export type Actor = Pick<Caller, 'keyId' | 'owner' | 'system'>;
/** The hub as actor. */
export const HUB_ACTOR: Actor = { keyId: 'hub', owner: 'hub', system: 'hub' };

export interface AuditRecord {
  /** The same in an intent record and its closing record. */
  readonly id: string;
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly phase: 'intent' | 'done' | 'failed';
  readonly who: Actor;
  /** `key.create`, `key.revoke`, … */
  readonly what: string;
  /** What the action changed: a key id, a view, … */
  readonly target: string;
  readonly why?: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Fault code, when the action failed. */
  readonly code?: string;
}

/** An action that needs audit records. */
export interface Act {
  readonly who: Actor;
  readonly what: string;
  readonly target: string;
  readonly why?: string | undefined;
  /** State before and after the action, never with secrets. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * Runs an action between two audit records: a durable intent record, then the action, then a closing record (`done` or `failed`). Without a durable intent
 * the action does not run (Fault `not_durable`). When the closing record cannot be written the action stands, and only its intent is on record.
 * `afterOf` makes `after` of the closing record from the answer of the action.
 */
export async function audited<T>(
  deps: { readonly log: Pick<EventLog, 'append'>; readonly now: () => number },
  act: Act,
  action: () => Promise<T>,
  afterOf?: (answer: T) => unknown,
): Promise<T> {
  const id = randomUUID();
  const write = (more: Partial<AuditRecord> & { phase: AuditRecord['phase'] }) =>
    append(deps.log, { id, at: new Date(deps.now()).toISOString(), ...recordOf(act), ...more });
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
  await write({ phase: 'done', ...(afterOf ? { after: afterOf(answer) } : {}) });
  return answer;
}

/** Records a use of power that changes nothing, such as a look-up. Resolves when the record is durable. Fault `not_durable`: the use must not go on. */
export async function recordUse(
  deps: { readonly log: Pick<EventLog, 'append'>; readonly now: () => number },
  act: Act,
): Promise<void> {
  const at = new Date(deps.now()).toISOString();
  if (!(await append(deps.log, { id: randomUUID(), at, ...recordOf(act), phase: 'done' })))
    throw new Fault('not_durable', { detail: 'the audit record', retryAfterMs: 1_000 });
}

export interface AuditPage {
  readonly records: readonly (AuditRecord & { readonly offset: string })[];
  readonly next: bigint;
  readonly end: boolean;
}

/** The record with every text of it but its id and its actor changed, also inside `before` and `after`. */
export function withTexts(record: AuditRecord, change: (text: string) => string): AuditRecord {
  const { id, at, phase, who, ...rest } = record;
  return { id, at, phase, who, ...(changed(rest, change) as Pick<AuditRecord, 'what' | 'target'>) };
}

function changed(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((v) => changed(v, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, changed(v, change)]));
}

/** Audit records from an offset on, oldest first, at most `limit`. Faults `log_unavailable`, `offset_out_of_range`. */
export async function readAudit(log: Pick<EventLog, 'read'>, from: bigint, limit: number): Promise<AuditPage> {
  const batch = await log.read(AUDIT_TOPIC, 0, from, { maxRecords: limit });
  if (batch.kind !== 'records')
    throw new Fault('offset_out_of_range', batch.kind === 'out_of_range' ? { detail: `earliest ${batch.low}` } : {});
  const records = batch.records.map((r) => ({ offset: String(r.offset), ...parsed(r) }));
  return { records, next: batch.next, end: batch.next >= batch.high };
}

/** The record; one that does not fit its seal, or that is no JSON any more, is shown as damaged and not left out. */
function parsed(record: LogRecord): AuditRecord {
  try {
    if (!record.damaged && !isSealBroken(record)) return JSON.parse(record.value?.toString() ?? '{}') as AuditRecord;
  } catch {
    // Shown below.
  }
  const at = new Date(record.appendTimeMs).toISOString();
  return { id: '', at, phase: 'failed', who: HUB_ACTOR, what: 'record.damaged', target: '', code: 'corrupt_record' };
}

/** Picks the identity of the actor: the roles of a caller are in the audit records of its key. */
function recordOf({ who, ...act }: Act): Omit<AuditRecord, 'id' | 'at' | 'phase'> {
  const { keyId, owner, system } = who;
  const given = Object.fromEntries(Object.entries(act).filter(([, v]) => v !== undefined)) as unknown as Omit<
    Act,
    'who' | 'why'
  > & { why?: string };
  return { who: { keyId, owner, system }, ...given };
}

async function append(log: Pick<EventLog, 'append'>, record: AuditRecord): Promise<boolean> {
  const one: NewRecord = { key: Buffer.from(record.target), value: Buffer.from(JSON.stringify(record)), headers: [] };
  return (await log.append(AUDIT_TOPIC, 0, [sealed(one)])).kind === 'accepted';
}
