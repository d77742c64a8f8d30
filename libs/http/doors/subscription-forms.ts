import { isTime, parsePosition } from '#event';
import { PUBLISH_LIMITS } from '#publishing';
import type { SubscriptionSpec } from '#subscriptions';
import { z } from 'zod';
import { because } from '../read-input.js';
import { texts } from '../texts.js';
import { FLAG, PAGING } from './paging.js';

// What the members mean, and whether they may stand there, is decided by the rules of subscriptions (readSpec); here is their shape, for /openapi.json too.
const TYPES = z.array(z.string().max(200)).max(1_000);
/** In the CloudEvents dialects exact, prefix, suffix, all, any, not. */
const FILTERS = z.array(z.record(z.string(), z.unknown())).max(1_000);
const UNITS = z.strictObject({
  /** Type of unit: `kanim`. */
  function: z.string().max(60).optional(),
  /** Kemendagri code of a province. */
  province: z.string().max(60).optional(),
  /** Id of a unit: itself and every unit below it. `self`: of the owner; `self:kanwil`: of the unit of this type that the owner is, or stands below, on the day of the event. */
  below: z.string().max(60).optional(),
});
const TARGET = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('webhook'),
    url: z.string().max(8_192),
    mode: z.enum(['structured', 'binary', 'batch']).default('structured'),
    data: z.enum(['json', 'avro']).default('json'),
    signature: z.enum(['v1', 'v1a']).optional(),
    /** true: the receiver is asked with OPTIONS (CloudEvents) before anything is sent to it. */
    handshake: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal('pull') }),
  z.strictObject({ kind: z.literal('sse') }),
]);

export const SPEC = z.strictObject({
  /** Lower-case letters, digits, `-`; at most 63. */
  name: z.string().max(200),
  types: TYPES,
  filters: FILTERS.default([]),
  units: UNITS.optional(),
  /** `now`, `earliest`, a time, or a position. */
  start: z.string().max(250).default('now'),
  test: z.boolean().default(false),
  target: TARGET,
  /** By stream, in the place of `start`: a cursor (`next` of a page of that stream), `earliest`, a time, or a position. */
  starts: z.record(z.string().max(200), z.string().min(1).max(8_192)).optional(),
  /** true, with the target sse: it is removed when no connection was open to it for five minutes. */
  temporary: z.boolean().default(false),
});
export const CHANGE = z
  .strictObject({
    types: TYPES.optional(),
    filters: FILTERS.optional(),
    /** null: no choice of units any more. */
    units: UNITS.nullable().optional(),
    target: TARGET.optional(),
    why: WHY().optional(),
  })
  .refine(({ why: _why, ...rest }) => Object.keys(rest).length > 0, because(texts.nothing_changed()));

export const DRY_RUN = z.strictObject({ dryRun: FLAG });
export const WHY_GIVEN = z.strictObject({ why: WHY().optional() });
export const PAUSE = z.strictObject({ why: WHY() });
export const SEEK = z.strictObject({
  /** `earliest`, `end`, a time, or a position. */
  to: z
    .string()
    .max(250)
    .refine((text) => text === 'end' || isPlace(text), because(texts.not_a_start())),
  dryRun: z.boolean().default(false),
  why: WHY().optional(),
});
export const SKIP = z.strictObject({ ids: IDS(), why: WHY() });
export const REDRIVE = z
  .strictObject({
    ids: IDS().optional(),
    filter: z
      .strictObject({
        subject: z.string().min(1).max(512).optional(),
        cause: z.string().min(1).max(100).optional(),
        before: z.string().max(40).refine(isTime, because(texts.not_a_time())).optional(),
      })
      .optional(),
    all: z.literal(true).optional(),
    edited: z.record(z.string(), z.unknown()).optional().refine(isOfAnEvent, because(texts.edited_too_large())),
    /** Events a second. */
    rate: z.number().min(0.1).max(1_000).default(20),
    why: WHY(),
    dryRun: z.boolean().default(false),
  })
  .refine(
    ({ ids, filter, all }) => [ids, filter, all].filter((choice) => choice !== undefined).length === 1,
    because(texts.one_choice()),
  )
  .refine(({ ids, edited }) => edited === undefined || ids?.length === 1, {
    path: ['edited'],
    ...because(texts.edited_one()),
  });

export const LIST = z.strictObject({
  name: z.string().max(63).optional(),
  /** A unit or party. */
  owner: z.string().max(60).optional(),
  ...PAGING,
});
export const PAGE = z.strictObject(PAGING);

export const PULL = z.strictObject({
  /** Events at most. */
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  /** Seconds to wait for a first event. */
  wait: z.coerce.number().min(0).max(30).optional(),
  /** Seconds until what was not committed comes again. */
  lease: z.coerce.number().min(0.2).max(60).optional(),
});
const TOKEN = z.string().min(1).max(32_768);
const POSITION = z
  .string()
  .max(250)
  .refine((text) => parsePosition(text) !== undefined, because(texts.not_a_position()));
export const COMMIT = z.strictObject({
  token: TOKEN,
  /** A position, or a list of them: one for each partition. */
  through: z.union([POSITION, z.array(POSITION).min(1).max(1_000)]),
  /** These are not done, nor is what follows them of their subject. */
  except: z.array(POSITION).max(1_000).default([]),
});
export const RELEASE = z.strictObject({
  token: TOKEN,
  /** A code: what is not committed could not be handled, and counts as a failed try. */
  failed: z
    .string()
    .regex(/^[a-z0-9_]{1,60}$/)
    .optional(),
  /** With `failed`: another try is of no use, so an event that is alone in its lease is parked at once. */
  final: z.boolean().default(false),
});
export const DELIVERIES = z.strictObject({
  subject: z.string().min(1).max(512).optional(),
  state: z.enum(['delivered', 'failed', 'parked', 'dead']).optional(),
  ...PAGING,
});

function WHY() {
  return z.string().min(1).max(500);
}

function IDS() {
  return z.array(z.string().min(1).max(250)).min(1).max(1_000);
}

/** An event as `edited`, and the order around it. */
export const REDRIVE_BYTES = PUBLISH_LIMITS.eventBytes + 65_536;

/** It is stored in one record with its order, and sent as an event. */
function isOfAnEvent(data: object | undefined): boolean {
  return data === undefined || Buffer.byteLength(JSON.stringify(data)) <= PUBLISH_LIMITS.eventBytes;
}

function isPlace(text: string): boolean {
  return text === 'earliest' || isTime(text) || parsePosition(text) !== undefined;
}

/** The spec of a body, to be checked by the rules of subscriptions. No member is undefined: JSON has none. */
export function specOf(given: Omit<z.output<typeof SPEC>, 'starts'>): SubscriptionSpec;
export function specOf(given: Omit<z.output<typeof CHANGE>, 'why'>): Partial<SubscriptionSpec>;
export function specOf(given: object): Partial<SubscriptionSpec> {
  const { temporary, target, units, ...spec } = given as Omit<Partial<SubscriptionSpec>, 'units'> & {
    readonly temporary?: boolean;
    readonly units?: SubscriptionSpec['units'] | null;
  };
  return {
    ...spec,
    // Removed by a change: JSON has no undefined, so the row is without it.
    ...(units === undefined ? {} : ({ units: units ?? undefined } as Pick<SubscriptionSpec, 'units'>)),
    ...(target === undefined ? {} : { target: targetOf(target) }),
    ...(temporary === true ? { temporary } : {}),
  };
}

/** What is false by default is left out. */
function targetOf(target: SubscriptionSpec['target'] & { readonly handshake?: boolean }): SubscriptionSpec['target'] {
  const { handshake, ...rest } = target;
  return (handshake === true ? { ...rest, handshake } : rest) as SubscriptionSpec['target'];
}
