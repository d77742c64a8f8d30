import { readAudit, ROLES, sourceOf, type Access, type KeyWish, type MadeKey, type Role, type ShownKey } from '#access';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import type { Units } from '#units';
import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../cursor.js';
import type { Door } from '../types.js';
import { pageOf, PAGING } from './paging.js';

const wish = {
  system: z.string().max(63),
  roles: z.array(z.enum(ROLES as readonly [Role, ...Role[]])).min(1),
  why: z.string().max(500).optional(),
};
const ONE = z.strictObject({ unit: z.string().max(60), ...wish });
const ALL = z.strictObject({ all: z.string().min(1).max(50), ...wish });
const MANY = z.strictObject({
  keys: z
    .array(z.strictObject({ unit: z.string().max(60), system: wish.system, roles: wish.roles }))
    .min(1)
    .max(1000),
  why: wish.why,
});
const CREATE = z.union([ONE, ALL, MANY]);
const ANY = z.looseObject({});

/** What is wrong is told of the form that was meant, not of all three. */
function shapeOf(body: object): typeof CREATE {
  const shape = 'keys' in body ? MANY : 'all' in body ? ALL : ONE;
  return shape as unknown as typeof CREATE;
}

const NONE = z.strictObject({});
const REVOKE = z.strictObject({ why: z.string().max(500).optional() });
const AUDIT_CURSOR = z.strictObject({ o: z.string().regex(/^\d{1,19}$/) });

export interface KeysDoorDeps {
  readonly access: Access;
  readonly units: Units;
  readonly log: EventLog;
}

/** Who am I; keys of units and parties; what was done to them. Keys are made and revoked by the role admin only. */
export function keysDoor({ access, units, log }: KeysDoorDeps): Door {
  return (edge) => {
    const { app } = edge;
    app.get('/v1/me', { config: { summary: 'Who this key is', query: NONE } }, (req) => {
      edge.query(req, NONE);
      const caller = edge.caller(req);
      const unit = units.get(caller.owner);
      return {
        keyId: caller.keyId,
        unit: caller.owner,
        ...(unit ? { code: unit.code, name: unit.name, type: unit.type } : {}),
        system: caller.system,
        roles: [...caller.roles],
        source: sourceOf(caller),
      };
    });

    app.get(
      '/v1/keys',
      { config: { summary: 'Keys, without their text', roles: ['admin'], query: z.strictObject(PAGING) } },
      (req, reply) => {
        const q = edge.query(req, z.strictObject(PAGING));
        const { items, next } = pageOf(access.listKeys(), (k) => k.id, q, 500);
        return edge.page(req, reply, 'keys', items.map(shown), next);
      },
    );

    app.post(
      '/v1/keys',
      {
        config: {
          summary:
            'A key for a unit, one for every unit of a type, or up to 1,000 named ones; their text is seen only now',
          roles: ['admin'],
          body: CREATE,
        },
      },
      async (req, reply) => {
        const body = edge.body(req, shapeOf(edge.body(req, ANY)));
        const by = edge.caller(req);
        reply.code(201).header('cache-control', 'no-store');
        if ('keys' in body) {
          const wishes = body.keys.map(({ unit, ...rest }): KeyWish => ({ owner: unit, ...rest }));
          const made = await access.createKeys(by, wishes, body.why);
          return reply.send({ keys: made.map(told) });
        }
        const { system, roles, why } = body;
        if ('unit' in body) {
          const made = await access.createKey(by, { owner: body.unit, system, roles }, why);
          return reply.send(told(made));
        }
        const wishes = units.list({ type: body.all }).map((u): KeyWish => ({ owner: u.id, system, roles }));
        if (wishes.length === 0)
          throw new Fault('invalid_request', {
            problems: [{ pointer: '/all', reason: 'no unit of this type', expected: 'a unit type, e.g. kanim' }],
          });
        const made = await access.createKeys(by, wishes, why);
        return reply.send({ keys: made.map(told) });
      },
    );

    app.delete<{ Params: { id: string } }>(
      '/v1/keys/:id',
      { config: { summary: 'Revoke a key: in force everywhere within 5 seconds', roles: ['admin'], query: REVOKE } },
      async (req) => {
        const { why } = edge.query(req, REVOKE);
        return shown(await access.revokeKey(edge.caller(req), req.params.id, why));
      },
    );

    app.get(
      '/v1/audit',
      {
        config: {
          summary: 'What was done to keys and settings, oldest first',
          roles: ['admin', 'operator', 'steward'],
          query: z.strictObject(PAGING),
        },
      },
      async (req, reply) => {
        const { limit, cursor } = edge.query(req, z.strictObject(PAGING));
        const from = cursor === undefined ? 0n : BigInt(decodeCursor(cursor, AUDIT_CURSOR).o);
        const page = await readAudit(log, from, Math.min(limit ?? 100, 500));
        // Always given, also at the end: the same cursor finds what is written later.
        return edge.page(req, reply, 'records', page.records, encodeCursor({ o: String(page.next) }), {
          end: page.end,
        });
      },
    );
  };
}

/** The only time the text of a key is told. */
function told({ id, key, owner, system, roles }: MadeKey): object {
  return { id, key, unit: owner, system, roles };
}

/** `unit` is the word at the doors, for parties and the hub too. */
function shown({ owner, ...key }: ShownKey): object {
  return { ...key, unit: owner };
}
