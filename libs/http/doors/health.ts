import { Controller, Get, Header, Inject, Optional, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { CheckedQuery, RouteConfig } from '../controllers.js';
import { CLOSING } from '../tokens.js';

/** Token of HealthDoorDeps. */
export const HEALTH_DOOR = Symbol('simpul.door.health');

const DOORS = ['publish', 'read', 'state'] as const;

export interface DoorHealth {
  readonly name: (typeof DOORS)[number];
  readonly ok: boolean;
  /** Why not: a fault code; no host names, no data. */
  readonly reason?: string;
}

/** One stored generation of a view, in the partitions that the process holds. */
export interface ViewHealth {
  readonly view: string;
  /** The view and its generation. */
  readonly storage: string;
  /** Number of partitions held. */
  readonly partitions: number;
  /**
   * The snapshot from which an emptied store would be filled: `complete`; `renewing`: the same while its successor is written; `filling`: the store is
   * being filled from it; `writing`: not usable yet; `stopped`: it is not written further, and usable up to `upTo`; `none`.
   */
  readonly snapshot: string;
  /** By stream and partition: the offset up to which the store could be filled. */
  readonly upTo: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface HealthDoorDeps {
  /** Asked at each `/health/ready`; must answer quickly. */
  readonly doors: () => Promise<readonly DoorHealth[]> | readonly DoorHealth[];
  /** `starting` until every door has been able to work once. */
  readonly phase: () => 'starting' | 'serving' | 'draining';
  /** undefined: this process folds no views. */
  readonly views?: () => readonly ViewHealth[] | undefined;
  /** What works and should be changed by an operator; names of topics and settings, no hosts, no data. */
  readonly concerns?: () => readonly object[];
  /** Prometheus text. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

const READY = z.strictObject({ door: z.enum(DOORS).optional() });

type Ready = z.output<typeof READY>;

/**
 * `/health/live` (the process answers), `/health/ready` (503 only while starting or draining, or when none of the asked doors works), `/metrics`. No key
 * is needed.
 */
@Controller()
export class HealthController {
  constructor(
    @Inject(HEALTH_DOOR) private readonly deps: HealthDoorDeps,
    // Absent where controllers run without a server, as in tests of a module.
    @Optional() @Inject(CLOSING) private readonly closing?: AbortSignal,
  ) {}

  @Get('health/live')
  @Header('cache-control', 'no-store')
  @RouteConfig({ open: true, summary: 'The process answers' })
  live(): object {
    return { status: 'live' };
  }

  @Get('health/ready')
  @Header('cache-control', 'no-store')
  @RouteConfig({
    open: true,
    summary: 'Which doors work, and the snapshots of the views; ?door= asks for one door',
    query: READY,
  })
  async ready(@CheckedQuery() { door }: Ready, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const phase = this.closing?.aborted === true ? 'draining' : this.deps.phase();
    const doors = await this.deps.doors();
    const asked = door === undefined ? doors : doors.filter((d) => d.name === door);
    const ready = phase === 'serving' && asked.some((d) => d.ok);
    if (!ready) reply.code(503).header('retry-after', '1');
    const views = this.deps.views?.();
    const concerns = this.deps.concerns?.() ?? [];
    const status = phase === 'serving' ? (ready ? 'ready' : 'not_ready') : phase;
    return {
      status,
      doors,
      ...(views === undefined ? {} : { views }),
      ...(concerns.length > 0 ? { concerns } : {}),
    };
  }

  @Get('metrics')
  @RouteConfig({ open: true, summary: 'Prometheus metrics' })
  async metrics(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { contentType, text } = await this.deps.metrics();
    reply.header('content-type', contentType);
    return text;
  }
}
