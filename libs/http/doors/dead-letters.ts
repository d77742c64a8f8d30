import type { Caller, Role } from '#access';
import { ownerOfGroup, type DeadLetterBoxes, type Letter } from '#dead-letters';
import { isTime, parsePosition, type Position } from '#event';
import { Fault } from '#faults';
import type { Limits, LongWork } from '#limits';
import { Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { pageBody } from '../page.js';
import type { Guesses } from './guesses.js';
import { workOf } from './in-turns.js';
import { pageOf, PAGING } from './paging.js';

/** Token of DeadLettersDoorDeps. */
export const DEAD_LETTERS_DOOR = Symbol('simpul.door.dead-letters');

export interface DeadLettersDoorDeps {
  /** @default lists are not made in turns */
  readonly limits?: Limits;
  readonly letters: Pick<DeadLetterBoxes, 'add' | 'list'>;
  /**
   * The type of the event at a position; `needsRoles`: without the roles of the caller its unit sees less of the event, or nothing. Fault `not_found` where
   * there is none, or none that the caller may see (R12).
   */
  readonly typeAt: (
    caller: Caller,
    place: Position,
    work: LongWork,
  ) => Promise<{ readonly type: string; readonly needsRoles: boolean }>;
  readonly guesses: Guesses;
  readonly now: () => number;
}

/** Messages of errors have line breaks; codes have no control characters. */
const CODE = z
  .string()
  .max(60)
  .regex(/^\P{Cc}*$/u);
const time = z.string().max(40).refine(isTime);
const LETTER = z.strictObject({
  position: z.string().max(250),
  cause: z.strictObject({ code: CODE.optional(), message: z.string().min(1).max(500) }),
  attempts: z.number().int().min(1).max(1_000_000),
  firsttime: time.optional(),
  lasttime: time,
});
const LIST = z.strictObject(PAGING);
const LETTER_SHAPE = z.looseObject({ position: z.string(), recordedtime: z.string(), attempts: z.number() });

/**
 * Events that a consumer of the unit has given up, by consumer group: the unit itself writes and reads them. A letter names the event and never holds its data, so
 * whoever reads the letter reads the event by its own rights.
 */
@Controller('v1/dead-letters')
export class DeadLettersController {
  constructor(@Inject(DEAD_LETTERS_DOOR) private readonly deps: DeadLettersDoorDeps) {}

  @Post(':group')
  @RouteConfig({
    summary:
      'An event that a consumer of the unit has given up, durable with the answer: 201, or 200 with the first letter of this position. The group begins with the unit: `su00123.loket`',
    roles: ['reader'],
    body: LETTER,
    answer: LETTER_SHAPE,
  })
  async add(
    @Param('group') group: string,
    @CheckedBody() given: z.output<typeof LETTER>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    this.#check(group, caller);
    const place = parsePosition(given.position);
    if (place === undefined) throw new Fault('not_found');
    const { type, needsRoles } = await this.deps.guesses.event(caller, () =>
      this.deps.typeAt(caller, place, workOf(this.deps, req)),
    );
    const recordedtime = new Date(this.deps.now()).toISOString();
    const roles = needsRoles ? { roles: rolesBeyond(caller) } : {};
    const own = { ...given, type, recordedtime, system: caller.system, ...roles };
    const { letter, repeated } = await this.deps.letters.add(group, own);
    void reply.status(repeated ? 200 : 201);
    // What a key with more rights wrote of the event is not for this one.
    const seen = maySee(letter, caller) ? letter : { ...own, recordedtime: letter.recordedtime };
    return { group, ...shown(seen) };
  }

  @Get(':group')
  @RouteConfig({
    summary: 'Dead letters of a consumer group of the unit, the oldest first; kept for 90 days',
    roles: ['reader'],
    query: LIST,
  })
  list(
    @Param('group') group: string,
    @CheckedQuery() q: z.output<typeof LIST>,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    this.#check(group, caller);
    return workOf(this.deps, req).run(async (turn) => {
      const letters = await this.deps.letters.list(group);
      turn.scanned('records', letters.length);
      // Gateways have clocks of their own.
      const inOrder = letters
        .filter((letter) => maySee(letter, caller))
        .map((letter) => ({ letter, place: `${letter.recordedtime}\n${letter.position}` }))
        .sort((a, b) => (a.place < b.place ? -1 : 1));
      // A list goes on at its place although older letters have expired.
      const { items, next } = pageOf(inOrder, ({ place }) => place, q);
      const page = items.map(({ letter }) => shown(letter));
      return pageBody(req, reply, 'letters', page, next);
    });
  }

  /** Whose a group is stands in its name, so that no unit can take or read the group of another. */
  #check(group: string, { owner }: Caller): void {
    const own = owner.toLowerCase();
    if (ownerOfGroup(group) !== own) throw new Fault('forbidden', { detail: `${own}.…` });
  }
}

/** The roles of a key that other reader keys of its unit may not have. */
export function rolesBeyond({ roles }: Caller): readonly Role[] {
  return [...roles].filter((role) => role !== 'reader' && role !== 'publisher');
}

const maySee = ({ roles = [] }: Letter, caller: Caller): boolean =>
  roles.every((role) => (caller.roles as ReadonlySet<string>).has(role));

const shown = ({ roles: _roles, ...letter }: Letter): Omit<Letter, 'roles'> => letter;
