import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, createReader, type ReadEvent } from '#sdk';
import { scriptedHub, type Script } from '../../../test/kit/scripted-hub.js';
import { StreamSource } from './index.js';

const BAN = 'imigrasi.cegah.ditetapkan';
const END = 'imigrasi.cegah.berakhir';
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const event = (id: string, type: string) => ({ id, type, source: 'urn:simpul:unit:SU00018:cekal', data: {} });
/** Three pages by cursor, then nothing new. */
const pages: Script = (r) => {
  switch (r.query.get('cursor')) {
    case null:
      return {
        status: 200,
        body: { events: [event('a', BAN), event('b', BAN), event('c', END), event('d', BAN)], next: '1' },
      };
    case '1':
      return { status: 200, body: { events: [event('e', BAN)], next: '2' } };
    default:
      return undefined;
  }
};

async function stage(script: Script, places: Map<string, string>, handlerFailed?: (type: string) => void) {
  const hub = await scriptedHub(script);
  const connection = connect({ url: hub.url, retry: { firstMs: 2, maxMs: 10 } });
  closing.push(hub.close, () => connection.close());
  return new StreamSource({
    reader: createReader({ connection, key: 'k' }),
    types: [BAN, END],
    places: { load: (s) => places.get(s), save: (s, c) => void places.set(s, c) },
    retryMs: 1,
    ...(handlerFailed ? { report: { handlerFailed } } : {}),
  });
}
const ids = (batch: unknown): string => (batch as ReadEvent[]).map((e) => e.id).join('');

describe('a StreamSource', () => {
  it('delivers batches of one event type in the order of the stream, and stores the cursor of a page after its batches were handled', async () => {
    const places = new Map<string, string>();
    const source = await stage(pages, places);
    const seen: string[] = [];
    await source.run((type, batch) => {
      seen.push(`${type === BAN ? 'ban' : 'end'} ${ids(batch)} at ${places.get('imigrasi.cegah') ?? 'start'}`);
      if (seen.length === 4) setImmediate(() => void source.stop());
      return Promise.resolve();
    });
    expect(seen).toEqual(['ban ab at start', 'end c at start', 'ban d at start', 'ban e at 1']);
  });

  it('reports damaged positions of a page before it stores the place behind them', async () => {
    const places = new Map<string, string>();
    const damaged = ['imigrasi.cegah/0/7'];
    const hub = await scriptedHub(({ query }) =>
      query.get('cursor') === null ? { status: 200, body: { events: [], next: '1', damaged } } : undefined,
    );
    const connection = connect({ url: hub.url, retry: { firstMs: 2, maxMs: 10 } });
    closing.push(hub.close, () => connection.close());
    const told: unknown[] = [];
    const source: StreamSource = new StreamSource({
      reader: createReader({ connection, key: 'k' }),
      types: [BAN],
      places: {
        load: (s) => places.get(s),
        save: (s, c) => {
          places.set(s, c);
          setImmediate(() => void source.stop());
        },
      },
      report: { damaged: (stream, positions) => told.push([stream, positions, places.get(stream)]) },
    });
    await source.run(() => Promise.resolve());
    expect([told, places.get('imigrasi.cegah')]).toEqual([[['imigrasi.cegah', damaged, undefined]], '1']);
  });

  it('goes on after an ingress has answered 404 for the hub for a while', async () => {
    let foreign = 0;
    const source = await stage((r) => {
      if (r.query.get('cursor') === '1' && foreign++ < 3)
        return { status: 404, body: 'default backend - 404', headers: { 'content-type': 'text/html' } };
      return pages(r);
    }, new Map());
    const seen: string[] = [];
    await source.run((_type, batch) => {
      seen.push(ids(batch));
      if (ids(batch) === 'e') setImmediate(() => void source.stop());
      return Promise.resolve();
    });
    expect([seen, foreign]).toEqual([['ab', 'c', 'd', 'e'], 4]);
  });

  it('ends with the refusal of the hub itself, so that the app hears it', async () => {
    const source = await stage(() => ({ status: 401, body: { code: 'unauthenticated' } }), new Map());
    await expect(source.run(() => Promise.resolve())).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('delivers a failed batch again and does not read past it', async () => {
    const places = new Map<string, string>();
    const faults: string[] = [];
    const source = await stage(pages, places, (type) => faults.push(type));
    const seen: string[] = [];
    await source.run((type, batch) => {
      seen.push(ids(batch));
      if (type === END && faults.length < 2) return Promise.reject(new Error('the list is locked'));
      if (ids(batch) === 'e') setImmediate(() => void source.stop());
      return Promise.resolve();
    });
    expect(seen).toEqual(['ab', 'c', 'c', 'c', 'd', 'e']);
    expect(faults).toEqual([END, END]);
  });

  it('continues at the stored cursor after a restart', async () => {
    const source = await stage(pages, new Map([['imigrasi.cegah', '1']]));
    const seen: string[] = [];
    await source.run((_type, batch) => {
      seen.push(ids(batch));
      setImmediate(() => void source.stop());
      return Promise.resolve();
    });
    expect(seen).toEqual(['e']);
  });

  it('rejects with the refusal of the hub when the hub does not give the stream', async () => {
    const source = await stage(() => ({ status: 404, body: { code: 'not_found' } }), new Map());
    await expect(source.run(() => Promise.resolve())).rejects.toMatchObject({ status: 404, code: 'not_found' });
  });
});
