import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SourceSet, type NamedSource } from '#consuming';
import { KasusStatusBerubah, RemisiDiusulkan } from '#event-types';
import type { ReadEvent, UnitRow } from '#sdk';
import { Directorates, type KafkaAccess } from './directorates.js';
import { History } from './history.js';
import type { Office } from './office.js';
import { Subscriptions } from './subscriptions.js';
import { Tally } from './tally.js';

const office = (owner: string, code: string): Office =>
  ({ owner, system: 'sdp', name: code, unit: { id: owner, code } as UnitRow, reader: {} }) as Office;
const CORRECTIONS = office('SU00006', 'ES1-DJPAS');
const PRISON = office('SU00208', 'LAPAS-31-SALEMBA');
const event = (id: string, recordedtime: string): ReadEvent =>
  ({ id, source: 'urn:simpul:unit:SU00208:sdp', type: RemisiDiusulkan.type, position: `pas.remisi/0/${id}`, recordedtime }) as ReadEvent; // prettier-ignore

class Named extends SourceSet {
  readonly added: NamedSource[] = [];
  override add(named: NamedSource): void {
    this.added.push(named);
  }
}

function stage(access?: KafkaAccess) {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-ministry-'));
  const file = join(dir, 'history.ndjson');
  const history = new History(file, () => 0);
  const tally = new Tally();
  const directorates = new Directorates({ access, from: '2021-07-15T00:00:00Z', history, tally, fault: () => undefined }); // prettier-ignore
  const lines = (): Record<string, unknown>[] => {
    history.close();
    const text = readFileSync(file, 'utf8');
    rmSync(dir, { recursive: true });
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { directorates, tally, lines };
}

describe('Directorates', () => {
  it('read straight from Kafka where there is one, each as one group with all that it follows; other offices read over HTTP', () => {
    const { directorates, lines } = stage({ brokers: ['127.0.0.1:1'] });
    const subscriptions = new Subscriptions('2021-07-15T00:00:00Z', {}, directorates);
    const set = new Named();
    Object.assign(subscriptions, { source: set });
    subscriptions.add({ office: PRISON, types: [KasusStatusBerubah], own: true });
    subscriptions.add({ office: CORRECTIONS, types: [RemisiDiusulkan] });
    subscriptions.add({ office: CORRECTIONS, types: [KasusStatusBerubah], own: true });
    subscriptions.planned();
    expect(set.added.map(({ name, types }) => [name, types])).toEqual([
      ['SU00208', [KasusStatusBerubah.type]],
      ['SU00006', [RemisiDiusulkan.type, KasusStatusBerubah.type]],
    ]);
    expect(lines()).toMatchObject([
      { f: 'follow', process: 'sdp@SU00006', evtypes: [RemisiDiusulkan.type, KasusStatusBerubah.type] },
    ]);
  });

  it('read over HTTP as all others where there is no Kafka', () => {
    const { directorates, lines } = stage();
    expect([directorates.has(CORRECTIONS), directorates.behind]).toEqual([false, 0]);
    expect(lines()).toEqual([]);
  });

  it('are behind by what the hub has accepted of their types and their handlers have not ended, and write what they received into the history', () => {
    const { directorates, tally, lines } = stage({ brokers: ['127.0.0.1:1'] });
    directorates.follow(CORRECTIONS, [RemisiDiusulkan]);
    for (const type of [RemisiDiusulkan.type, RemisiDiusulkan.type, KasusStatusBerubah.type]) tally.accept(type);
    const first = event('1', '2021-07-15T00:00:01Z');
    for (const again of [first, first]) directorates.handled('SU00006', again);
    directorates.handled('SU00208', first);
    expect([tally.accepted, directorates.received, directorates.behind]).toEqual([3, 1, 1]);
    expect(lines()).toMatchObject([
      { f: 'receive', process: 'sdp@SU00006', id: '1', position: 'pas.remisi/0/1' },
      { f: 'receive', process: 'sdp@SU00006', id: '1', position: 'pas.remisi/0/1' },
    ]);
  });

  it('leave out events of an earlier day', () => {
    const { directorates, lines } = stage();
    expect(directorates.isOfToday(event('1', '2021-07-14T23:59:59.999Z'))).toBe(false);
    expect(directorates.isOfToday(event('2', '2021-07-15T00:00:00.000Z'))).toBe(true);
    lines();
  });
});
