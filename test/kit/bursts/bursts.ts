import { connect, createPublisher, isSdkFault, type Connection, type NewEvent, type Publisher, type Step } from '#sdk';
import type { HistoryLine } from '../checking/history.js';
import { random } from '../random.js';
import type { Deployment } from '../deployment.js';

/** Units whose systems publish in the bursts: three prisons, the directorate that decides bans (a stream with one partition), two immigration offices. */
const SYSTEMS = [
  ['SU00208', 'sdp'],
  ['SU00209', 'sdp'],
  ['SU00210', 'sdp'],
  ['SU00018', 'cekal'],
  ['SU00065', 'simkim'],
  ['SU00066', 'simkim'],
] as const;

export interface Key {
  readonly unit: string;
  readonly system: string;
  readonly key: string;
}

export async function keysOf(hub: Deployment): Promise<Key[]> {
  const out: Key[] = [];
  for (const [unit, system] of SYSTEMS) out.push({ unit, system, key: await hub.key(unit, system, ['publisher']) });
  return out;
}

const TYPES = [
  'pas.hunian.dilaporkan',
  'imigrasi.cegah.ditetapkan',
  'imigrasi.cegah.berakhir',
  'layanan.kasus.status-berubah',
  'imigrasi.paspor.permohonan-diajukan',
] as const;
const STATUS = ['diajukan', 'kelengkapan', 'diproses', 'diputuskan', 'selesai'];

type Samples = ReadonlyMap<string, Record<string, unknown>>;
type Planned = NewEvent & { readonly orderingKey: string };

/** Valid invented data of every type in the bursts. */
export async function samplesOf(hub: Deployment): Promise<Samples> {
  const out = new Map<string, Record<string, unknown>>();
  for (const type of TYPES) {
    const headers = { authorization: `Bearer ${hub.adminKey}` };
    const got = await fetch(`${hub.url}/v1/event-types/${type}/sample`, { headers });
    out.set(type, ((await got.json()) as { data: Record<string, unknown> }).data);
  }
  return out;
}

const day = (n: number): string => `2021-07-${String(1 + n).padStart(2, '0')}`;

/** The events of one system in one burst; the same for the same seed and owner. */
function planOf(owner: string, system: string, seed: number, samples: Samples): Planned[] {
  const next = random(seed * 1_000 + Number(owner.slice(2)));
  const pick = (n: number): number => Math.floor(next() * n);
  const make = (type: (typeof TYPES)[number], orderingKey: string, data: Record<string, unknown>): Planned => ({
    type,
    orderingKey,
    data: { ...samples.get(type), ...data },
  });
  const out: Planned[] = [];
  if (system === 'sdp')
    for (let i = 0; i < 40; i++) {
      const tanggal = day(pick(8));
      // Other numbers in each burst, within the bounds of the contract.
      const jumlahTahanan = (seed * 40 + i) % 100_000;
      out.push(make('pas.hunian.dilaporkan', tanggal, { unit: owner, tanggal, jumlahTahanan }));
    }
  else if (system === 'cekal')
    for (let i = 0; i < 25; i++) {
      const nomorCekal = `C-${pick(12)}`;
      const versiDaftar = seed * 100 + i;
      if (pick(3) > 0)
        out.push(
          make('imigrasi.cegah.ditetapkan', '', { nomorCekal, versiDaftar, jenis: pick(4) ? 'cegah' : 'tangkal' }),
        );
      else out.push(make('imigrasi.cegah.berakhir', '', { nomorCekal, versiDaftar }));
    }
  else
    for (let i = 0; i < 12; i++) {
      const nomorKasus = `K-${owner}-${seed}-${i}`;
      for (let s = 0; s < 3; s++)
        out.push(
          make('layanan.kasus.status-berubah', nomorKasus, {
            nomorKasus,
            unitPemegang: owner,
            unitSebelumnya: null,
            statusLama: s === 0 ? null : STATUS[s - 1]!,
            statusBaru: STATUS[s]!,
          }),
        );
    }
  return out;
}

/** One NDJSON request of new applications. */
const batchOf = (owner: string, seed: number, samples: Samples): Planned[] =>
  Array.from({ length: 40 }, (_, i) => ({
    type: 'imigrasi.paspor.permohonan-diajukan',
    orderingKey: `P-${owner}-${seed}-${i}`,
    data: {
      ...samples.get('imigrasi.paspor.permohonan-diajukan'),
      nomorPermohonan: `P-${owner}-${seed}-${i}`,
      unitPenerima: owner,
    },
  }));

/** One publisher for each key, on one address of the hub. */
export class PublisherGroup {
  readonly #connection: Connection;
  readonly publishers: ReadonlyMap<string, Publisher>;

  /** `process` is the name in the history lines; `onStep` is called after each new line. */
  constructor(url: string, process: string, keys: readonly Key[], lines: HistoryLine[], onStep: () => void = () => {}) {
    this.#connection = connect({ url, connections: 24, timeoutMs: 15_000, retry: { firstMs: 40, maxMs: 400 } });
    const note = (name: string, s: Step): void => {
      const { event: e } = s;
      const more =
        s.kind === 'ok'
          ? { status: s.status, position: s.receipt.position, digest: s.receipt.digest, duplicate: s.receipt.duplicate }
          : s.kind === 'invoke'
            ? {}
            : { status: s.fault.status, code: s.fault.code };
      lines.push({
        t: Date.now(),
        process: name,
        type: s.kind,
        f: 'send',
        source: e.source,
        id: e.id,
        evtype: e.type,
        ...more,
      });
      onStep();
    };
    this.publishers = new Map(
      keys.map(({ unit, system, key }) => {
        const who = `${process} ${system}@${unit}`;
        const options = { connection: this.#connection, key, owner: unit, system };
        return [unit, createPublisher({ ...options, report: { step: (s: Step): void => note(who, s) } })];
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.publishers.values()].map((p) => p.close()));
    await this.#connection.close();
  }
}

/**
 * Every system publishes its events as fast as it can: many at the same time, some twice at once and some again later with the same id.
 * `second`: publishers on a second gateway, which get the same ids at the same time. Resolves when every event has its outcome; rejects when one was refused.
 */
export async function burst(
  group: PublisherGroup,
  keys: readonly Key[],
  seed: number,
  samples: Samples,
  second?: PublisherGroup,
): Promise<void> {
  const next = random(seed);
  const jobs: Promise<unknown>[] = [];
  const refusals: unknown[] = [];
  const keep = (job: Promise<unknown>): void => {
    jobs.push(job.catch((e: unknown) => refusals.push(isSdkFault(e) ? e.problem : e)));
  };
  for (const k of keys) {
    const publisher = group.publishers.get(k.unit);
    if (publisher === undefined) continue;
    const other = second?.publishers.get(k.unit);
    for (const planned of planOf(k.unit, k.system, seed, samples)) {
      const event = publisher.prepare(planned);
      const roll = next();
      const first = publisher.publish(event);
      keep(first);
      const again = { ...event, orderingKey: `${planned.orderingKey}#again` };
      if (other !== undefined) keep(other.publish(event));
      else if (roll < 0.3) keep(publisher.publish(again));
      else if (roll < 0.5) keep(first.then(() => publisher.publish(again)));
    }
    if (k.system !== 'simkim') continue;
    const batch = batchOf(k.unit, seed, samples).map((e) => publisher.prepare(e));
    keep(publisher.publishBatch(batch));
    if (other !== undefined) keep(other.publishBatch(batch));
  }
  await Promise.all(jobs);
  if (refusals.length > 0) throw new Error(`refused: ${JSON.stringify(refusals.slice(0, 3))}`);
}
