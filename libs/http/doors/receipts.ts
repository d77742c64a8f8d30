import { maySeeSource, type Caller } from '#access';
import { parseSource } from '#event';
import { Fault } from '#faults';
import type { Publishing } from '#publishing';
import type { Units } from '#units';
import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import { CheckedQuery, CurrentCaller, RouteConfig } from '../controllers.js';
import { because } from '../read-input.js';
import { texts } from '../texts.js';

/** Token of ReceiptsDoorDeps. */
export const RECEIPTS_DOOR = Symbol('simpul.door.receipts');

export interface ReceiptsDoorDeps {
  readonly publishing: Pick<Publishing, 'receipt'>;
  readonly units: Units;
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
  digest: z.string(),
  recordedtime: z.string(),
  duplicate: z.boolean(),
});

/** The receipts of accepted events, for those who may see their source. */
@Controller('v1/receipts')
export class ReceiptsController {
  constructor(@Inject(RECEIPTS_DOOR) private readonly deps: ReceiptsDoorDeps) {}

  @Get()
  @RouteConfig({
    summary: 'The receipt of the first event with this source and id',
    query: RECEIPT,
    answer: RECEIPT_SHAPE,
  })
  async one(@CheckedQuery() { source, id }: Query, @CurrentCaller() caller: Caller): Promise<object> {
    // Looked up in any case, so that a receipt that this key may not see answers like one that does not exist, in the same time (R12).
    const receipt = await this.deps.publishing.receipt(source, id);
    const allowed = maySeeSource(caller, source, this.deps.units);
    if (receipt === undefined || !allowed) throw new Fault('not_found');
    return receipt;
  }
}
