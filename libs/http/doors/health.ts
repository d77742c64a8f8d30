import { z } from 'zod';
import type { Door } from '../types.js';

const DOORS = ['publish', 'read', 'state'] as const;

export interface DoorHealth {
  readonly name: (typeof DOORS)[number];
  readonly ok: boolean;
  /** Why not: a fault code or a few words; no host names, no data. */
  readonly reason?: string;
}

export interface HealthDoorDeps {
  /** Asked at each `/health/ready`; must answer quickly. */
  readonly doors: () => Promise<readonly DoorHealth[]> | readonly DoorHealth[];
  /** `starting` until the process has been able to serve all it is asked for, once. */
  readonly phase: () => 'starting' | 'serving' | 'draining';
  /** Prometheus text. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

const READY = z.strictObject({ door: z.enum(DOORS).optional() });

/** `/health/live` (the process answers), `/health/ready` (503 only while starting, draining, or when no door works), `/metrics`. All open. */
export function healthDoor(deps: HealthDoorDeps): Door {
  return (edge) => {
    const { app } = edge;
    app.get('/health/live', { config: { open: true, summary: 'The process answers' } }, (_req, reply) =>
      reply.header('cache-control', 'no-store').send({ status: 'live' }),
    );
    app.get(
      '/health/ready',
      { config: { open: true, summary: 'Which doors work; ?door= asks for one', query: READY } },
      async (req, reply) => {
        const { door } = edge.query(req, READY);
        const phase = edge.closing.aborted ? 'draining' : deps.phase();
        const doors = await deps.doors();
        const asked = door === undefined ? doors : doors.filter((d) => d.name === door);
        const ready = phase === 'serving' && asked.some((d) => d.ok);
        if (!ready) reply.header('retry-after', '1');
        return reply
          .code(ready ? 200 : 503)
          .header('cache-control', 'no-store')
          .send({ status: phase === 'serving' ? (ready ? 'ready' : 'not_ready') : phase, doors });
      },
    );
    app.get('/metrics', { config: { open: true, summary: 'Prometheus metrics' } }, async (_req, reply) => {
      const { contentType, text } = await deps.metrics();
      return reply.header('content-type', contentType).send(text);
    });
  };
}
