import { expect, it } from '@jest/globals';
import type { CompiledView, RefusedEvent } from '#projection';
import type { Offered } from '#publishing';
import { ViewConflicts, type ViewConflictsDeps } from './view-conflicts.js';

const NOW = Date.parse('2021-08-01T00:00:00.000Z');
const view = { name: 'layanan.kasus-papan' } as CompiledView;
const refused = (n: number, more: Partial<RefusedEvent> = {}): RefusedEvent => ({
  reason: 'not_owner',
  key: 'K-1',
  type: 'layanan.kasus.status-berubah',
  position: `layanan.kasus/0/${n}`,
  recordedtime: '2021-07-31T00:00:00.000Z',
  witness: ['urn:simpul:unit:SU00066:uji', {}],
  // Nobody is told as the owner.
  owner: undefined,
  ...more,
});

const OTHER_SYSTEM: Partial<RefusedEvent> = { witness: ['urn:simpul:unit:SU00066:lain', {}] };

it('refused changes that come while too many wait, in all or of their unit, are reported as dropped, and those that wait are published', async () => {
  const published: Offered[] = [];
  const dropped: number[] = [];
  const log = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const deps = {
    publishing: {
      publish: async (offered: readonly Offered[]) => {
        await log.promise;
        published.push(...offered);
        if (published.length === 4) done.resolve();
        return offered.map(() => ({ receipt: {} }));
      },
    },
    catalogue: { newest: (type: string) => ({ restricted: type.startsWith('itjen.') }) },
    now: () => NOW,
    waiting: 4,
    report: {
      refused: () => undefined,
      failed: () => undefined,
      dropped: (events: number) => void dropped.push(events),
    },
  } as unknown as ViewConflictsDeps;
  const conflicts = new ViewConflicts(deps);
  const untold = [
    refused(8, { type: 'itjen.wbs.laporan-diterima' }),
    refused(9, { recordedtime: '2021-07-01T00:00:00.000Z' }),
  ];
  const other = (n: number): RefusedEvent => refused(n, { witness: ['urn:simpul:unit:SU00067:uji', {}] });
  conflicts.offer(view, [refused(0), ...untold, refused(1), refused(2), refused(3, OTHER_SYSTEM)]);
  conflicts.offer(view, [other(4), other(5)]);
  conflicts.offer(view, [other(6), ...untold]);
  expect(dropped).toEqual([2, 1]);
  log.resolve();
  await done.promise;
  const positions = published.map((o) => (o as { content: { data: { posisi: string } } }).content.data.posisi);
  expect(positions).toEqual([0, 1, 4, 5].map((n) => `layanan.kasus/0/${n}`));
  await conflicts.close();
});
