import {
  AUDIT_TOPIC,
  isInTree,
  KEY_STATES,
  maySeeAct,
  readAudit,
  ROLES,
  sourceOf,
  withTexts,
  type Access,
  type AuditRecord,
  type Caller,
  type KeySpec,
  type KeyState,
  type MadeKey,
  type Role,
  type ShownKey,
} from '#access';
import { Fault } from '#faults';
import { ENDLESS, type Limits, type Turn } from '#limits';
import type { EventLog } from '#log';
import type { Units } from '#units';
import { Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z, type ZodType } from 'zod';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { pageBody } from '../page.js';
import { workOf } from './in-turns.js';
import { momentMs } from './moment.js';
import { NONE, pageOf, PAGING, placeAfter } from './paging.js';
import { texts } from '../texts.js';

const wanted = {
  system: z.string().max(63),
  roles: z.array(z.enum(ROLES as readonly [Role, ...Role[]])).min(1),
  expires: z.string().max(40).optional(),
  why: z.string().max(500).optional(),
};
const ONE = z.strictObject({ unit: z.string().max(60), ...wanted });
const ALL = z.strictObject({ all: z.string().min(1).max(50), ...wanted });
const MANY = z.strictObject({
  keys: z
    .array(
      z.strictObject({ unit: z.string().max(60), system: wanted.system, roles: wanted.roles, expires: wanted.expires }),
    )
    .min(1)
    .max(1000),
  why: wanted.why,
});
const CREATE = z.union([ONE, ALL, MANY]);

/** Only the problems of the form that was meant are named, not those of all three. */
function shapeOf(given: unknown): ZodType {
  if (typeof given !== 'object' || given === null) return ONE;
  return 'keys' in given ? MANY : 'all' in given ? ALL : ONE;
}
/** 1,000 keys of 250 bytes. */
const KEYS_BYTES = 262_144;

const LIST_KEYS = z.strictObject({
  state: z.enum(KEY_STATES as readonly [KeyState, ...KeyState[]]).optional(),
  ...PAGING,
});
const DECIDE = z.strictObject({ why: z.string().max(500).optional() });
const LIST_AUDIT = z.strictObject({
  ...PAGING,
  /** `key.create`, or `key.` for all that begin with it. */
  what: z.string().min(1).max(60).optional(),
  /** Owner or key id of the actor. */
  by: z.string().min(1).max(60).optional(),
  target: z.string().min(1).max(200).optional(),
  phase: z.enum(['intent', 'done', 'failed']).optional(),
  from: z.string().max(40).optional(),
});
const AUDIT_CURSOR = z.strictObject({ o: z.string().regex(/^\d{1,19}$/) });
type Create = z.output<typeof CREATE>;
type ListAudit = z.output<typeof LIST_AUDIT>;
type ListKeys = z.output<typeof LIST_KEYS>;
type Decide = z.output<typeof DECIDE>;

/** Keys of a page when the query names no limit. */
const KEYS = 500;

/** Takes keys that a caller makes from its budgets. Fault too_many_requests. The hub may make any number: it alone gives every unit its first key. */
export function takeGrants(limits: Limits | undefined, { keyId, owner }: Caller, count: number): void {
  if (limits === undefined || owner === 'hub') return;
  const of = { key: keyId, unit: owner };
  limits.check(limits.grants.reachedBy(of));
  limits.grants.charge(of, count);
}

/** Token of KeysDoorDeps. */
export const KEYS_DOOR = Symbol('simpul.door.keys');

export interface KeysDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly access: Access;
  readonly units: Units;
  readonly log: EventLog;
  /** How texts of audit records are shown: without names of restricted types, streams and views (R12.6). @default as they are */
  readonly openTexts?: () => (text: string) => string;
}

/** Who the key is; keys of units and parties; the audit records of their changes. Only the role admin makes and revokes keys. */
@Controller('v1')
export class KeysController {
  constructor(@Inject(KEYS_DOOR) private readonly deps: KeysDoorDeps) {}

  @Get('me')
  @RouteConfig({ summary: 'Who this key is', query: NONE })
  me(@CheckedQuery() _none: object, @CurrentCaller() caller: Caller): object {
    const unit = this.deps.units.get(caller.owner);
    return {
      keyId: caller.keyId,
      unit: caller.owner,
      ...(unit ? { code: unit.code, name: unit.name, type: unit.type, timezone: unit.timezone } : {}),
      today: this.deps.units.today(caller.owner),
      system: caller.system,
      roles: [...caller.roles],
      source: sourceOf(caller),
      ...(caller.expiry === undefined ? {} : { expiresAt: new Date(caller.expiry.atMs).toISOString() }),
    };
  }

  @Get('keys')
  @RouteConfig({
    summary: 'Keys of the unit of this key and below (of an admin of the hub: all), without their text',
    roles: ['admin'],
    query: LIST_KEYS,
  })
  list(
    @CheckedQuery() q: ListKeys,
    @CurrentCaller() by: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return workOf(this.deps, req).run(async (turn) => {
      const { items, next } = pageOf(await this.#keysFor(by, q, turn), (k) => k.id, q, { limit: KEYS });
      return pageBody(req, reply, 'keys', items.map(shown), next);
    });
  }

  /** The first keys behind the cursor, one more than a page has, by id: looking through all of them takes long, so it is done in turns. */
  async #keysFor(by: Caller, q: ListKeys, turn: Turn): Promise<readonly ShownKey[]> {
    const most = (q.limit ?? KEYS) + 1;
    const first = (keys: ShownKey[]): ShownKey[] => keys.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, most);
    let found: ShownKey[] = [];
    let looked = 0;
    for (const key of this.deps.access.keysOf(by.owner, placeAfter(q))) {
      looked++;
      if (turn.isOver) await turn.next();
      if (q.state !== undefined && key.state !== q.state) continue;
      if (found.push(key) >= 2 * most) found = first(found);
    }
    turn.scanned('entries', looked);
    return first(found);
  }

  @Post('keys')
  @Header('cache-control', 'no-store')
  @RouteConfig({
    summary:
      'A key for a unit, one for every unit of a type, or up to 1,000 named ones; their text is seen only now. 202: a key is `pending` until a second admin of the hub approves it',
    roles: ['admin'],
    body: CREATE,
    bodyBytes: KEYS_BYTES,
  })
  create(
    @CheckedBody(shapeOf) body: Create,
    @CurrentCaller() by: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    // One key is made at once; a list takes as long as a list that is read.
    if ('unit' in body) return this.#create(body, by, reply, ENDLESS);
    return workOf(this.deps, req).run((turn) => this.#create(body, by, reply, turn));
  }

  async #create(body: Create, by: Caller, reply: FastifyReply, turn: Turn): Promise<object> {
    const { access, units, limits } = this.deps;
    const breathe = (): Promise<void> | undefined => (turn.isOver ? turn.next() : undefined);
    const admit = (count: number): void => takeGrants(limits, by, count);
    const answer = (made: readonly MadeKey[]): object[] => {
      if (made.some((key) => key.state === 'pending')) reply.code(202);
      return made.map(shown);
    };
    if ('keys' in body) {
      const specs = body.keys.map(({ unit, ...rest }): KeySpec => ({ owner: unit, ...rest }));
      return { keys: answer(await access.createKeys(by, specs, body.why, admit, breathe)) };
    }
    const { system, roles, expires, why } = body;
    if ('unit' in body)
      return answer([await access.createKey(by, { owner: body.unit, system, roles, expires }, why, admit)])[0]!;
    const specs = units
      .list({ type: body.all })
      .filter((u) => isInTree(by.owner, u.id, units))
      .map((u): KeySpec => ({ owner: u.id, system, roles, expires }));
    if (specs.length === 0)
      throw new Fault('invalid_request', {
        problems: [{ pointer: '/all', reason: texts.no_unit_of_type(), expected: texts.unit_type() }],
      });
    return { keys: answer(await access.createKeys(by, specs, why, admit, breathe)) };
  }

  @Delete('keys/:id')
  @RouteConfig({
    summary: 'Revoke a key (or refuse a pending one): in force everywhere within 5 seconds',
    roles: ['admin'],
    query: DECIDE,
  })
  async revoke(@Param('id') id: string, @CheckedQuery() { why }: Decide, @CurrentCaller() by: Caller): Promise<object> {
    return shown(await this.deps.access.revokeKey(by, id, why));
  }

  @Post('keys/:id/approve')
  @HttpCode(200)
  @RouteConfig({
    summary: 'Approve a pending key that another admin of the hub asked for: it is valid at once',
    roles: ['hub-admin'],
    query: DECIDE,
  })
  async approve(
    @Param('id') id: string,
    @CheckedQuery() { why }: Decide,
    @CurrentCaller() by: Caller,
  ): Promise<object> {
    return shown(await this.deps.access.approveKey(by, id, why));
  }

  @Post('keys/:id/refuse')
  @HttpCode(200)
  @RouteConfig({
    summary: 'Refuse or withdraw a pending key: it will never be valid',
    roles: ['hub-admin'],
    query: DECIDE,
  })
  async refuse(@Param('id') id: string, @CheckedQuery() { why }: Decide, @CurrentCaller() by: Caller): Promise<object> {
    return shown(await this.deps.access.refuseKey(by, id, why));
  }

  @Get('audit')
  @RouteConfig({
    summary:
      'What was done to keys and settings, oldest first; to an admin of a unit, what concerns its tree. `what=key.` finds all that begin with it; `by` is an owner or a key id; `from` a time',
    roles: ['admin', 'operator', 'steward'],
    query: LIST_AUDIT,
  })
  async audit(
    @CheckedQuery() q: ListAudit,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { log, units, openTexts } = this.deps;
    const from = await this.#auditFrom(q);
    const { page, records } = await workOf(this.deps, req).run(async (turn) => {
      const read = await readAudit(log, from, Math.min(q.limit ?? 100, 500));
      await turn.next();
      turn.scanned('records', read.records.length);
      const open = openTexts?.() ?? ((text: string) => text);
      const seen = read.records.filter((record) => maySeeAct(caller, record, units));
      // Filters look at what the caller is shown.
      const shownRecords = seen.map(({ offset, ...record }) => ({ offset, ...withTexts(record, open) }));
      return { page: read, records: shownRecords.filter((record) => isAsked(q, record)) };
    });
    // The cursor is also given at the end: the same cursor finds the records that are written later.
    return pageBody(req, reply, 'records', records, encodeCursor({ o: String(page.next) }), { end: page.end });
  }

  async #auditFrom({ cursor, from }: ListAudit): Promise<bigint> {
    if (cursor !== undefined) return BigInt(decodeCursor(cursor, AUDIT_CURSOR).o);
    return from === undefined ? 0n : this.deps.log.offsetAt(AUDIT_TOPIC, 0, momentMs(from, '?from'));
  }
}

function isAsked(q: ListAudit, { what, who, target, phase }: AuditRecord): boolean {
  if (q.what !== undefined && !(q.what.endsWith('.') ? what.startsWith(q.what) : what === q.what)) return false;
  if (q.by !== undefined && who.owner !== q.by && who.keyId !== q.by) return false;
  return (q.target === undefined || target === q.target) && (q.phase === undefined || phase === q.phase);
}

/** At the doors the owner of a key is named `unit`, also when it is a party or the hub. */
function shown({ owner, ...key }: ShownKey | MadeKey): object {
  return { ...key, unit: owner };
}
