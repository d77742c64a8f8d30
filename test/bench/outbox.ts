import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublisher } from '#outbox';
import { HEAD, row, type Finding } from './finding.js';
import { cpuSeconds, median, type Round } from './measure.js';
import { ROUNDS } from './rounds.js';

const CALLERS = 32;
const SECONDS = 3;
const data = { nomorKasus: 'bench-2021-1', statusBaru: 'diproses', catatan: 'x'.repeat(700) };

/** Events of about 1 KB, singly from 32 callers, each durable before its call resolves. The hub cannot be reached, so all of them stay. */
async function queueing(dir: string, n: number): Promise<Round> {
  const publisher = createPublisher({
    url: 'http://127.0.0.1:9',
    key: 'k',
    owner: 'SU00099',
    system: 'bench',
    outbox: join(dir, `${n}.sqlite`),
    maxEvents: 1_000_000,
    maxBytes: 2 ** 31,
  });
  let events = 0;
  const caller = async (until: number): Promise<void> => {
    while (performance.now() < until) {
      await publisher.publish({ type: 'layanan.kasus.status-berubah', data, orderingKey: `k${events++ % 1_000}` });
    }
  };
  const cpu = cpuSeconds(process.pid);
  const began = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, () => caller(began + SECONDS * 1_000)));
  const round = { events, seconds: (performance.now() - began) / 1_000, cpu: cpuSeconds(process.pid) - cpu };
  await publisher.close();
  return round;
}

/** The plain design: each call appends a line to a file and flushes it to the disk. */
async function plain(dir: string, n: number): Promise<Round> {
  const file = await open(join(dir, `${n}.ndjson`), 'a');
  let events = 0;
  const caller = async (until: number): Promise<void> => {
    while (performance.now() < until) {
      await file.write(`${JSON.stringify({ id: events++, data })}\n`);
      await file.datasync();
    }
  };
  const cpu = cpuSeconds(process.pid);
  const began = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, () => caller(began + SECONDS * 1_000)));
  const round = { events, seconds: (performance.now() - began) / 1_000, cpu: cpuSeconds(process.pid) - cpu };
  await file.close();
  return round;
}

/** `npm run bench -- outbox`: durable events a second into the outbox of a unit. */
export async function outboxBench(): Promise<Finding> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-bench-outbox-'));
  const ours: Round[] = [];
  const theirs: Round[] = [];
  try {
    for (let n = 0; n < ROUNDS; n++) {
      ours.push(await queueing(dir, n));
      theirs.push(await plain(dir, n));
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return {
    title: `Outbox: ${CALLERS} callers, each event durable before publish() resolves`,
    head: HEAD,
    rows: [row('outbox, shared flushes', ours), row('a file, one flush a call', theirs)],
    bars: [{ text: 'durable events a second', value: median(ours.map((r) => r.events / r.seconds)), bar: 5_000 }],
  };
}
