import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import type { State } from '#state';
import type { Units } from '#units';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { Stage } from '../../test/kit/projection/stage.js';

const catalogue = catalogueOfFiles(3);
const views = viewsOf(catalogue, 'imigrasi.cegah-aktif', 'imigrasi.paspor-status');
const stranger: Caller = { keyId: 'x', owner: 'SU00400', system: 'uji', roles: new Set(['reader']) };

describe('an entry that the caller may not see', () => {
  const calls: string[] = [];
  const counted = <T extends object>(port: T, ...names: string[]): T =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (!names.includes(String(name))) return method;
        return (...args: unknown[]) => {
          calls.push(String(name));
          return method(...args);
        };
      },
    });
  const stage = new Stage(catalogue, views, {
    wrapState: (state: State) => counted(state, 'read', 'scan'),
    units: counted({ above: () => new Set<string>(), get: () => undefined } as unknown as Units, 'above'),
  });

  beforeAll(async () => {
    await stage.open();
    await stage.project();
    const source = 'urn:simpul:unit:SU00018:uji';
    const data = { jenis: 'cegah', instansiPengusul: 'EXT-KPK' };
    const put = (nomorCekal: string) =>
      recordOf(catalogue, { type: 'imigrasi.cegah.ditetapkan', source, data: { ...data, nomorCekal } });
    await stage.append([put('C-1'), put('C-2')]);
    const [view] = views;
    const steward: Caller = { ...stranger, roles: new Set(['steward']) };
    while ((await stage.reader.get(steward, view!, 'C-2')).kind !== 'entry') await new Promise(setImmediate);
    await stage.projector!.close();
  });
  afterAll(() => stage.close());

  it('is read and judged by the same calls, in the same order, as a key without an entry', async () => {
    const callsFor = async (key: string): Promise<readonly string[]> => {
      calls.length = 0;
      expect((await stage.reader.get(stranger, views[0]!, key)).kind).toBe('absent');
      return [...calls];
    };
    const forbidden = await callsFor('C-1');
    expect(forbidden).toEqual(['read', 'above', 'read', 'above']);
    expect(await callsFor('C-99')).toEqual(forbidden);
    expect(await callsFor('C-2')).toEqual(forbidden);
  });
});
