import { describe, expect, it } from '@jest/globals';
import { Limits, type LimitValues } from '#limits';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Connections } from './connections.js';
import { Entrance } from './entrance.js';
import { apiProfiles, Profiles } from './profile.js';
import { HTTP_LIMITS } from './open.js';
import { RefusedLog } from './refused-log.js';

/** An entrance whose requests take `ms` each, on a clock that only they move. The key `u.1` belongs to the unit `u`. */
function entrance(ms: number, values: Partial<LimitValues> = {}) {
  let at = 0;
  const begun: string[] = [];
  const answers: { status: number; body: Record<string, unknown> }[] = [];
  const budgets = new Limits({ values });
  const made = new Entrance(
    {
      authenticate: (h) =>
        h === undefined
          ? undefined
          : { keyId: h.slice(7), owner: h.slice(7).split('.')[0]!, system: 'x', roles: new Set(['reader'] as const) },
      budgets,
      connections: new Connections({ limits: budgets, isProxy: () => false }),
      profiles: new Profiles(apiProfiles(HTTP_LIMITS)),
      refused: new RefusedLog({ info: () => undefined }, {}),
    },
    (req) => {
      begun.push(req.url!);
      at += ms;
    },
    () => at,
  );
  const send = (key: string | undefined, url: string): void => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const req = { url, method: 'GET', headers, socket: new EventEmitter() } as unknown as IncomingMessage;
    let status = 0;
    const res = {
      setHeader: () => undefined,
      writeHead: (s: number) => void (status = s),
      end: (body: Buffer) =>
        void answers.push({ status, body: JSON.parse(body.toString()) as Record<string, unknown> }),
    } as unknown as ServerResponse;
    made.take(req, res);
  };
  const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { begun, answers, budgets, send, round };
}

describe('requests that come together', () => {
  it('begin at once while they are few', () => {
    const { begun, send } = entrance(0.1);
    for (let n = 0; n < 8; n++) send('a', `/a${n}`);
    expect(begun).toHaveLength(8);
  });

  it('wait in a queue of their key when they are many, and those of another key begin at once, in each round', async () => {
    const { begun, send, round, budgets } = entrance(0.5);
    for (let n = 0; n < 200; n++) send(undefined, `/none${n}`);
    expect(begun).toHaveLength(9);
    send('b', '/b0');
    expect(begun.at(-1)).toBe('/b0');
    await round();
    // Two ms of 0.5 ms each, and not more, before what has come meanwhile.
    expect(begun.length).toBeLessThanOrEqual(14);
    send('b', '/b1');
    expect(begun.at(-1)).toBe('/b1');
    while (budgets.queued.held > 0) await round();
    expect(begun).toHaveLength(202);
  });

  it('are served by turns of their keys: a key with many does not keep one with few waiting', async () => {
    const { begun, send, round } = entrance(1);
    for (let n = 0; n < 100; n++) send('many', `/many${n}`);
    for (let n = 0; n < 3; n++) send('few', `/few${n}`);
    for (let n = 0; n < 4; n++) await round();
    expect(begun.filter((u) => u.startsWith('/few'))).toHaveLength(3);
    expect(begun.filter((u) => u.startsWith('/many')).length).toBeLessThan(20);
  });

  it('are served by turns of the units first: a unit with many keys does not keep another one waiting', async () => {
    const { begun, send, round } = entrance(1);
    for (let n = 0; n < 300; n++) send(`many.${n}`, `/many${n}`);
    expect(begun).toHaveLength(9);
    for (let n = 0; n < 3; n++) send('few', `/few${n}`);
    for (let n = 0; n < 4; n++) await round();
    expect(begun.filter((u) => u.startsWith('/few'))).toHaveLength(3);
    expect(begun.filter((u) => u.startsWith('/many')).length).toBeLessThan(20);
  });

  it('of one unit are served by turns of its keys', async () => {
    const { begun, send, round } = entrance(1);
    for (let n = 0; n < 100; n++) send('u.many', `/many${n}`);
    for (let n = 0; n < 3; n++) send('u.few', `/few${n}`);
    for (let n = 0; n < 8; n++) await round();
    expect(begun.filter((u) => u.startsWith('/few'))).toHaveLength(3);
    expect(begun.filter((u) => u.startsWith('/many')).length).toBeLessThan(30);
  });

  it('are refused by the name of the limit beyond it, before they begin, and other keys are not', () => {
    const { begun, answers, send } = entrance(0.1, { queued_requests_per_key: 5 });
    for (let n = 0; n < 20; n++) send('many', `/many${n}`);
    const { length } = begun;
    expect(answers).toHaveLength(20 - length - 5);
    expect(answers[0]).toMatchObject({ status: 429, body: { limit: 'queued_requests_per_key' } });
    send('other', '/other');
    expect(begun.at(-1)).toBe('/other');
  });
});
