import { describe, expect, it } from '@jest/globals';
import type { CompiledView, RefusedEvent } from '#projection';
import { CHANGE_TRIED, OwnerNotices } from './owner-notices.js';
import type { Notice } from './notice-queue.js';

const view = { name: 'layanan.kasus-papan' } as CompiledView;
const START = Date.parse('2021-07-15T08:00:00.000Z');
const MINUTE = 60_000;
let n = 0;
const tried = (minute: number, more: Partial<RefusedEvent> & { readonly by?: string } = {}): RefusedEvent => {
  const { by = 'SU00066', ...rest } = more;
  return {
    reason: 'not_owner',
    key: 'K-1',
    type: 'layanan.kasus.status-berubah',
    position: `layanan.kasus/0/${n++}`,
    recordedtime: new Date(START + minute * MINUTE).toISOString(),
    witness: [`urn:simpul:unit:${by}:uji`, {}],
    owner: 'SU00065',
    ...rest,
  };
};

class Told {
  readonly notices: Notice[] = [];
  dropped = 0;
  minute = 0;
  readonly owners: OwnerNotices;
  constructor(windows?: { all: number; ofOne: number }) {
    this.owners = new OwnerNotices({
      queue: { push: (some) => void this.notices.push(...some) },
      now: () => START + this.minute * MINUTE,
      ...(windows === undefined ? {} : { windows }),
      report: { dropped: (events) => void (this.dropped += events) },
    });
  }
  at(minute: number, ...events: RefusedEvent[]): this {
    this.minute = minute;
    this.owners.offer(view, events);
    this.owners.flush();
    return this;
  }
  get data(): { id: string; jumlah: number; kunci: string; sumber: string; pemilik: string }[] {
    return this.notices.map(({ offered }) => {
      const { given, content } = offered as never as { given: { id: string; type: string }; content: { data: object } };
      expect(given.type).toBe(CHANGE_TRIED);
      return { id: given.id, ...content.data } as never;
    });
  }
  get counts(): number[] {
    return this.data.map(({ jumlah }) => jumlah);
  }
}

describe('the owner of an entry that somebody else tried to change', () => {
  it('is told of the first attempt at once, and of all others of the hour together, with their number, first and last', () => {
    const first = tried(0);
    const told = new Told().at(0, first);
    expect(told.data).toEqual([
      {
        id: expect.stringMatching(/^layanan\.kasus-papan\/[\w-]{22}\/\d+$/),
        pemilik: 'SU00065',
        ringkasan: 'layanan.kasus-papan',
        kunci: 'K-1',
        sumber: 'urn:simpul:unit:SU00066:uji',
        jenis: 'layanan.kasus.status-berubah',
        jumlah: 1,
        posisiPertama: first.position,
        posisiTerakhir: first.position,
        waktuPertama: first.recordedtime,
        waktuTerakhir: first.recordedtime,
      },
    ]);
    const [second, third] = [tried(1), tried(50)];
    told.at(50, second, ...Array.from({ length: 200 }, () => tried(2)), third);
    expect(told.counts).toEqual([1]);
    expect(told.at(60).counts).toEqual([1, 202]);
    expect(told.data[1]).toMatchObject({ posisiPertama: second.position, posisiTerakhir: third.position });
    expect(told.at(600).counts).toEqual([1, 202]);
    expect(told.at(601, tried(601)).counts).toEqual([1, 202, 1]);
  });

  it('gets at most one notice for each source, entry and hour, and every attempt is counted in one of them', () => {
    const told = new Told();
    for (let minute = 0; minute < 300; minute++) told.at(minute, tried(minute), tried(minute, { by: 'SU00067' }));
    told.at(400);
    const ids = told.data.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const by of ['SU00066', 'SU00067']) {
      const mine = told.data.filter(({ sumber }) => sumber.includes(by));
      expect(mine.length).toBeLessThanOrEqual(6);
      expect(mine.reduce((sum, { jumlah }) => sum + jumlah, 0)).toBe(300);
    }
  });

  it('gets the same notices, under the same ids, when all is offered again after a restart and no minute of waiting was the same', () => {
    const events = [0, 1, 5, 59, 60, 61, 119, 240, 241].map((minute) => tried(minute));
    const live = new Told();
    for (const event of events) live.at((Date.parse(event.recordedtime) - START) / MINUTE, event);
    live.at(600);
    const again = new Told().at(600, ...events.toReversed());
    expect(again.data).toEqual(live.data);
  });

  it('is told of each source, entry and owner by itself, and not where a date is the reason', () => {
    const told = new Told().at(
      0,
      tried(0),
      tried(0, { by: 'SU00067' }),
      tried(0, { key: 'K-2' }),
      tried(0, { owner: 'EXT-KPK' }),
      tried(0, { reason: 'too_far_ahead', owner: undefined }),
    );
    expect(told.counts).toEqual([1, 1, 1, 1]);
    expect(new Set(told.data.map(({ id }) => id)).size).toBe(4);
  });

  it('is told of others while one source tries more entries than are remembered, which is reported', () => {
    const told = new Told({ all: 20, ofOne: 5 });
    told.at(0, ...Array.from({ length: 12 }, (_, i) => tried(0, { key: `K-${i}` })));
    told.at(1, tried(1, { by: 'SU00067' }));
    expect(told.counts).toHaveLength(6);
    expect(told.dropped).toBe(7);
    // The same unit with another system has no more of them.
    told.at(2, tried(2, { key: 'K-20', witness: ['urn:simpul:unit:SU00066:lain', {}] }));
    expect(told.dropped).toBe(8);
    // Room is free again once the hour is over.
    expect(told.at(121).at(122, tried(122, { key: 'K-11' })).counts).toHaveLength(7);
  });
});
