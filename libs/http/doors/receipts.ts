import { isOwnSource, type Caller } from '#access';
import { parseSource } from '#event';
import { Fault } from '#faults';
import type { Limits, LongWork } from '#limits';
import type { Publishing, Receipt } from '#publishing';
import type { Reading } from '#reading';
import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import type { Guesses } from './guesses.js';
import { workOf } from './in-turns.js';
import { READER_SHAPE, Readers, type ReadersDeps } from './reader-receipts.js';
import { because } from '../read-input.js';
import { texts } from '../texts.js';

/** Token of ReceiptsDoorDeps. */
export const RECEIPTS_DOOR = Symbol('simpul.door.receipts');

export interface ReceiptsDoorDeps {
  /** @default large events are not read in turns */
  readonly limits?: Limits;
  readonly publishing: Pick<Publishing, 'receipt'>;
  /** How much of an event a caller may see (R12). */
  readonly reading: Pick<Reading, 'levelAt'>;
  readonly guesses: Guesses;
  /** Who the readers of an event are. @default receipts name none */
  readonly readers?: ReadersDeps | undefined;
}

// A source that no event can have would be answered 404, which is final: "this event was never recorded".
const source = z
  .string()
  .max(200)
  .refine((text) => parseSource(text) !== undefined, because(texts.source_form()));
const RECEIPT = z.strictObject({ source, id: z.string().min(1).max(255) });
type Query = z.output<typeof RECEIPT>;

export const RECEIPT_SHAPE = z.object({
  id: z.string(),
  source: z.string(),
  type: z.string(),
  stream: z.string(),
  partition: z.number(),
  offset: z.number(),
  position: z.string(),
  /** Absent for whoever sees the event masked. */
  digest: z.string().optional(),
  recordedtime: z.string(),
  duplicate: z.boolean(),
  /** Of a test event: it is in no stream. */
  test: z.literal(true).optional(),
});
const WITH_READERS = RECEIPT_SHAPE.extend({
  /** What each subscription made of the event, of those that the caller may know of. */
  readers: z.array(READER_SHAPE).optional(),
  /** Not every process has answered in time: there may be more readers. */
  readersIncomplete: z.literal(true).optional(),
});

/** The receipts of accepted events: of the caller's own source, and of events that it may read, without the digest where it reads them masked (R12). */
@Controller('v1/receipts')
export class ReceiptsController {
  readonly #readers: Readers | undefined;

  constructor(@Inject(RECEIPTS_DOOR) private readonly deps: ReceiptsDoorDeps) {
    this.#readers = deps.readers && new Readers(deps.readers);
  }

  @Get()
  @RouteConfig({
    summary:
      'The receipt of the first event with this source and id. `readers`: what each subscription made of it: to the publisher and the units above it, of all that get it; to others, of their own. `readersIncomplete`: a process has not answered',
    query: RECEIPT,
    answer: WITH_READERS,
  })
  async one(
    @CheckedQuery() { source, id }: Query,
    @CurrentCaller() caller: Caller,
    @Req() req: FastifyRequest,
  ): Promise<object> {
    const receipt = await this.#receipt(caller, source, id, req);
    const readers = await this.#readers?.of(receipt.position, source, caller, req);
    return { ...receipt, ...readers };
  }

  #receipt(caller: Caller, source: string, id: string, req: FastifyRequest): Promise<Receipt> {
    const { publishing, guesses } = this.deps;
    // A publisher that comes back after an outage asks for all that it is not sure of, and learns nothing that it did not send.
    if (isOwnSource(caller, source)) return publishing.receipt(source, id).then(existing);
    const see = (found: Receipt) => this.#seen(caller, found, workOf(this.deps, req));
    return guesses.event(caller, async () => existing(await publishing.receipt(source, id, see)));
  }

  async #seen(caller: Caller, { digest, ...rest }: Receipt, work: LongWork): Promise<Receipt | undefined> {
    const { stream, partition, offset } = rest;
    const level = await this.deps.reading.levelAt(caller, stream, partition, BigInt(offset), work);
    if (level === 'none') return undefined;
    return level === 'full' && digest !== undefined ? { ...rest, digest } : rest;
  }
}

function existing(receipt: Receipt | undefined): Receipt {
  if (receipt === undefined) throw new Fault('not_found');
  return receipt;
}
