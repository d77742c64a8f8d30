import type { ReceiverProcess } from '../kit/receiver/process.js';
import { caseNumber } from './case-event.js';
import { paced } from './deliveries-latency.js';
import { openStage, type DeliveryBench } from './deliveries-stage.js';
import { whole, type Finding } from './finding.js';
import { median, quantile } from './measure.js';

const RATE = 1_000;
const SECONDS = 8;
const SUBJECTS = 100;
const POISONED = 7;
const ROUNDS = 3;
/** `retried`: 500, so it is tried again after 5 s; `parked`: 400, so it is parked at once. Both hold what comes behind it. */
const KINDS = { none: 204, retried: 500, parked: 400 } as const;
type Kind = keyof typeof KINDS;

interface Ran {
  /** From receipt to arrival of the other subjects, ms. */
  readonly p99: number;
  /** Events of the poisoned subject that were sent though the first one was not taken. */
  readonly passed: number;
}

async function ran(hub: DeliveryBench, to: ReceiverProcess, kind: Kind, round: number): Promise<Ran> {
  const base = round * 1_000;
  const poisoned = caseNumber('b', base + POISONED);
  await to.rules([{ subject: poisoned, answer: { status: KINDS[kind] } }]);
  const subjectOf = (n: number): number => base + (n % SUBJECTS);
  const others = (id: string): boolean => Number(id.slice(2)) % SUBJECTS !== POISONED;
  const ms = await paced(hub, to, { rate: RATE, seconds: SECONDS, subjectOf }, others);
  const ofPoisoned = (await to.received()).flatMap(({ events }) => events.filter((e) => e.subject === poisoned));
  const ids = new Set(ofPoisoned.map(({ id }) => id));
  return { p99: quantile(ms, 0.99), passed: kind === 'none' ? 0 : ids.size - 1 };
}

/** `npm run bench -- deliveries-poison`: whether a subject that the receiver does not take holds up the others. */
export async function poisonBench(): Promise<Finding> {
  await using stage = openStage();
  const to = await stage.receiver(true);
  const hub = await stage.hub('embedded');
  await hub.resume(await hub.subscribe('racun', { kind: 'webhook', url: to.url }));
  const kinds = Object.keys(KINDS) as Kind[];
  const found: Record<Kind, Ran[]> = { none: [], retried: [], parked: [] };
  let round = 0;
  await ran(hub, to, 'none', round++);
  for (let n = 0; n < ROUNDS; n++)
    for (const kind of n % 2 === 0 ? kinds : kinds.toReversed()) found[kind].push(await ran(hub, to, kind, round++));
  const p99 = (kind: Kind): number => median(found[kind].map((r) => r.p99));
  const passed = kinds.flatMap((kind) => found[kind]).reduce((sum, r) => sum + r.passed, 0);
  const line = (name: string, kind: Kind): readonly string[] => [
    name,
    whole(p99(kind)),
    found[kind].map((r) => whole(r.p99)).join(' · '),
  ];
  return {
    title: `Push: one of ${SUBJECTS} subjects is not taken by the receiver, ${whole(RATE)} events a second`,
    head: ['from receipt to arrival of the other subjects', 'p99 ms', 'of the rounds'],
    rows: [
      line('all are taken', 'none'),
      line('one is answered 500, and tried again', 'retried'),
      line('one is answered 400, and parked', 'parked'),
    ],
    bars: [
      {
        text: 'p99 with one subject tried again / with none',
        value: p99('retried') / p99('none'),
        bar: 1.2,
        atMost: true,
      },
      { text: 'p99 with one subject parked / with none', value: p99('parked') / p99('none'), bar: 1.2, atMost: true },
      { text: 'events that were sent past the one that was not taken', value: passed, bar: 0, atMost: true },
    ],
  };
}
