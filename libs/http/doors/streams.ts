import type { Caller } from '#access';
import { Fault } from '#faults';
import type { Catalogue } from '#registry';
import { Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { CheckedBody, CurrentCaller, RouteConfig } from '../controllers.js';

/** Token of StreamsDoorDeps. */
export const STREAMS_DOOR = Symbol('simpul.door.streams');

export interface StreamsDoorDeps {
  readonly catalogue: Pick<Catalogue, 'stream'>;
  /** Sets the retention of a stream under audit, where its views allow it (R6.2); undefined: without limit. Answers the views that fold the stream. */
  readonly setRetention: (
    stream: string,
    retentionMs: number | undefined,
    by: Caller,
    why?: string,
  ) => Promise<readonly string[] | undefined>;
}

const DAY_MS = 86_400_000;
/** Not shorter than the duplicate index keeps an event (R2.2): an event that is sent again must be found in the log. */
const LEAST_DAYS = 8;
const RETENTION = z.strictObject({
  /** null: without limit. */
  days: z.number().int().min(LEAST_DAYS).max(36_500).nullable(),
  why: z.string().max(500).optional(),
});
type Retention = z.output<typeof RETENTION>;

/** Streams: how long they keep their events. */
@Controller('v1/streams')
export class StreamsController {
  constructor(@Inject(STREAMS_DOOR) private readonly deps: StreamsDoorDeps) {}

  @Post(':stream/retention')
  @HttpCode(200)
  @RouteConfig({
    summary:
      'How long a stream keeps its events; only when each of its views has a complete snapshot. `views`: those that fold it; empty: none, and what is deleted is nowhere',
    roles: ['hub-admin'],
    body: RETENTION,
  })
  async retention(
    @Param('stream') stream: string,
    @CheckedBody() { days, why }: Retention,
    @CurrentCaller() by: Caller,
  ): Promise<object> {
    if (this.deps.catalogue.stream(stream) === undefined) throw new Fault('not_found', { detail: stream });
    const views = await this.deps.setRetention(stream, days === null ? undefined : days * DAY_MS, by, why);
    return { stream, days, ...(views === undefined ? {} : { views }) };
  }
}
