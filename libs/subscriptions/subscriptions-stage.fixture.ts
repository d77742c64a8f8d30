import { readFileSync } from 'node:fs';
import type { LogRecord } from '#log';
import { LoggedEvent } from '#reading';
import type { CatalogueIndex } from '#registry';
import { readUnitSeed, UnitTree } from '#units';
import { catalogueOfFiles, recordOf, type EventSpec } from '../../test/kit/projection/events.js';
import { compileSubscription, SharedEvent, type CompiledSubscription, type Matched } from './index.js';

/** The contracts and the units of the repository, on a day of 2021. */
export interface Stage {
  readonly catalogue: CatalogueIndex;
  readonly units: UnitTree;
  event(spec: Partial<EventSpec> & { readonly stream?: string; readonly original?: bigint }): LoggedEvent;
  shared(spec: Parameters<Stage['event']>[0]): SharedEvent;
}

export const PASSPORT = 'imigrasi.paspor.diterbitkan';
export const KANIM = 'SU00123';
/** Above KANIM: reads its events masked. */
export const KANWIL = 'SU00041';
export const NIK = '9901010101010001';

export function stageOf(): Stage {
  const catalogue = catalogueOfFiles(4);
  const units = new UnitTree(() => '2021-07-15');
  const seed = new URL('../../schemas/units.json', import.meta.url);
  for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);
  let offset = 0n;
  const event: Stage['event'] = ({ stream, original, ...spec }) => {
    const type = spec.type ?? PASSPORT;
    const unit = /SU\d+/.exec(spec.source ?? `urn:simpul:unit:${KANIM}:simkim`)?.[0];
    const made = recordOf(catalogue, {
      source: `urn:simpul:unit:${KANIM}:simkim`,
      ...spec,
      type,
      data: { ...(type === PASSPORT ? { nik: NIK, unitPenerbit: KANIM } : {}), ...spec.data },
      extensions: { ...(unit === undefined ? {} : { unitasal: unit }), ...spec.extensions },
    });
    const record: LogRecord = { ...made.record, offset: offset++, appendTimeMs: 0, leaderEpoch: 0 };
    const place = { stream: stream ?? made.stream, partition: made.partition, original };
    const opened = LoggedEvent.open(record, place, catalogue);
    if (!(opened instanceof LoggedEvent)) throw new Error('no event');
    return opened;
  };
  return { catalogue, units, event, shared: (spec) => SharedEvent.of(event(spec), units)! };
}

/** A subscription of the kanim to every event, changed. */
export function compiled(more: Partial<Matched> = {}): CompiledSubscription {
  return compileSubscription({
    id: 'sub_a',
    owner: KANIM,
    system: 'simkim',
    types: ['#'],
    filters: [],
    test: false,
    ...more,
  });
}
