import { writeSync } from 'node:fs';
import { connect } from '#sdk';
import { createPublisher } from '#outbox';
import { occupancy } from '../occupancy.js';

/** A unit that queues reports until it is killed, or sends what is left: arguments url, key, unit, file, first number, `queue` or `drain`. Prints a line for each queued event. */
const [url = '', key = '', owner = '', outbox = '', first = '1', what = 'queue'] = process.argv.slice(2);
const connection = connect({ url, retry: { firstMs: 5, maxMs: 100 } });
const publisher = createPublisher({ connection, key, owner, system: 'sdp', outbox });

const day = (n: number): string => `2021-07-${15 + (n % 5)}`;
const report = (n: number): Record<string, unknown> =>
  occupancy(owner, day(n), n, new Date(Date.UTC(2021, 6, 20, 3, 0, 0) + n * 1_000).toISOString());

let next = Number(first);
async function caller(): Promise<never> {
  for (;;) {
    const n = next++;
    const event = { type: 'pas.hunian.dilaporkan', data: report(n), orderingKey: day(n) };
    const { id, status } = await publisher.publish(event, { urgent: n % 11 === 0 });
    writeSync(1, `${status} ${id} ${n}\n`);
  }
}

if (what === 'drain') {
  await publisher.flush();
  await publisher.close();
  await connection.close();
} else await Promise.race(Array.from({ length: 6 }, caller));
