import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { scriptedHub, type Script } from '../../test/kit/scripted-hub.js';
import { connect, createReader, type ReadEvent } from './index.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function reading(script: Script) {
  const hub = await scriptedHub(script);
  const connection = connect({ url: hub.url, retry: { firstMs: 2, maxMs: 10 } });
  closing.push(hub.close, () => connection.close());
  return { hub, reader: createReader({ connection, key: 'k2' }) };
}
const event = (id: string, at: number) => ({
  specversion: '1.0',
  id,
  source: 'urn:simpul:unit:SU00001:x',
  type: 'pas.hunian.dilaporkan',
  position: `pas.hunian/0/${at}`,
  digest: `sha-256:${id}`,
  data: {},
});

async function take(from: AsyncIterable<ReadEvent>, n: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const e of from) {
    ids.push(e.id);
    if (ids.length === n) break;
  }
  return ids;
}

describe('read', () => {
  it('follows the cursor to the end of the stream, retries after a 503 and drops copies', async () => {
    let n = 0;
    const { hub, reader } = await reading((r) => {
      if (n++ === 1) return { status: 503, body: { code: 'starting' } };
      switch (r.query.get('cursor')) {
        case null:
          return { status: 200, body: { events: [event('a', 0), event('b', 1)], next: 'c1' } };
        case 'c1':
          return { status: 200, body: { events: [], incomplete: true, next: 'c2' } };
        case 'c2':
          return { status: 200, body: { events: [event('a', 2), event('c', 3)], next: 'c3' } };
        default:
          return { status: 200, body: { events: [], next: 'c3' } };
      }
    });
    const ids: string[] = [];
    for await (const e of reader.read('pas.hunian', { from: 'earliest', type: 'pas.hunian.dilaporkan', limit: 2 }))
      ids.push(e.id);
    expect(ids).toEqual(['a', 'b', 'c']);
    expect(hub.requests[0]!.path).toBe('/v1/streams/pas.hunian/events');
    expect(Object.fromEntries(hub.requests[0]!.query)).toEqual({
      from: 'earliest',
      type: 'pas.hunian.dilaporkan',
      limit: '2',
    });
    expect(hub.requests.at(-1)!.query.has('from')).toBe(false);
  });

  it('throws the problem document of a refusal without a retry', async () => {
    const { hub, reader } = await reading(() => ({ status: 400, body: { code: 'invalid_cursor' } }));
    await expect(take(reader.read('pas.hunian', { cursor: 'x' }), 1)).rejects.toMatchObject({ code: 'invalid_cursor' });
    expect(hub.requests).toHaveLength(1);
  });
});

describe('live', () => {
  it('resumes with Last-Event-ID after a broken connection, yields no event twice and reports a gap', async () => {
    let n = 0;
    const gaps: unknown[] = [];
    const { hub, reader } = await reading((r) => {
      r.res.writeHead(200, { 'content-type': 'text/event-stream' });
      const write = (id: string, e: unknown, name = 'event') =>
        r.res.write(`id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(e)}\n\n`);
      if (n++ === 0) {
        write('p1', event('a', 0));
        write('p2', event('b', 1));
        r.res.end();
      } else {
        write('p2', event('b', 1));
        write('p2', { earliest: 'x' }, 'gap');
        r.res.write(': \n\n');
        write('p3', event('c', 2));
      }
      return undefined;
    });
    const ids = await take(reader.live('pas.hunian', { from: 'latest', report: { gap: (g) => gaps.push(g) } }), 3);
    expect(ids).toEqual(['a', 'b', 'c']);
    expect(gaps).toEqual([{ earliest: 'x' }]);
    expect(hub.requests.map((r) => [r.query.get('from'), r.headers['last-event-id']])).toEqual([
      ['latest', undefined],
      [null, 'p2'],
    ]);
  });

  it('ends without an error when its signal aborts', async () => {
    const stop = new AbortController();
    const { reader } = await reading((r) => {
      r.res.writeHead(200, { 'content-type': 'text/event-stream' });
      r.res.write(`data: ${JSON.stringify(event('a', 0))}\n\n`);
      return undefined;
    });
    const ids: string[] = [];
    for await (const e of reader.live('pas.hunian', { signal: stop.signal })) {
      ids.push(e.id);
      stop.abort();
    }
    expect(ids).toEqual(['a']);
  });
});

describe('what the hub cannot give any more is a line on standard error where the app does not listen to it', () => {
  const lines = () => {
    const written: string[] = [];
    const write = jest.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    closing.push(() => Promise.resolve(write.mockRestore()));
    return written;
  };
  const body = { events: [event('a', 0)], next: 'c1', damaged: ['pas.hunian/0/1'] };
  const script: Script = (r) => ({
    status: 200,
    body: r.query.get('cursor') === null ? body : { events: [], next: 'c1' },
  });

  it('on a page', async () => {
    const written = lines();
    const { reader } = await reading(script);
    for await (const e of reader.read('pas.hunian')) expect(e.id).toBe('a');
    const told: string[] = [];
    for await (const e of reader.read('pas.hunian', { damaged: (p) => told.push(...p) })) expect(e.id).toBe('a');
    expect([written, told]).toEqual([['corrupt_record pas.hunian/0/1\n'], ['pas.hunian/0/1']]);
  });

  it('on a live stream', async () => {
    const written = lines();
    const { reader } = await reading((r) => {
      r.res.writeHead(200, { 'content-type': 'text/event-stream' });
      const write = (name: string, data: unknown) => r.res.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
      write('damaged', { stream: 'pas.hunian', position: 'pas.hunian/0/1' });
      write('gap', { code: 'offset_out_of_range' });
      write('event', event('a', 2));
      return undefined;
    });
    expect(await take(reader.live('pas.hunian'), 1)).toEqual(['a']);
    expect(written).toEqual(['corrupt_record pas.hunian/0/1\n', 'gap pas.hunian offset_out_of_range\n']);
  });
});

describe('pages with follow: live', () => {
  const empty = { status: 200, body: { events: [], next: 'c1' } };
  /** Pages until the end at c1; then each connection gets the next of these answers. */
  const tail = (...answers: ((write: (id: string, e: unknown, name?: string) => void) => void)[]): Script => {
    let n = 0;
    return (r) => {
      if (!r.path.endsWith('/live'))
        return r.query.get('cursor') === null
          ? { status: 200, body: { events: [event('a', 0)], next: 'c1' } }
          : { ...empty, body: { events: [], next: r.query.get('cursor') } };
      r.res.writeHead(200, { 'content-type': 'text/event-stream' });
      answers[n++]?.((id, e, name) =>
        r.res.write(`id: ${id}\n${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(e)}\n\n`),
      );
      // As a hub that is killed leaves it.
      if (n < answers.length) setImmediate(() => r.res.destroy());
      return undefined;
    };
  };

  it('reads pages to the end, gets what comes behind it pushed, and goes on at its cursor after a broken connection', async () => {
    const { hub, reader } = await reading(
      tail(
        (write) => {
          write('c2', event('b', 1));
          write('c3', { stream: 'pas.hunian', position: 'pas.hunian/0/2' }, 'damaged');
        },
        (write) => write('c4', event('c', 3)),
      ),
    );
    const ids: string[] = [];
    const damaged: string[] = [];
    const pages = reader.pages('pas.hunian', { type: 'pas.hunian.dilaporkan', unit: 'SU00001', follow: 'live' });
    let next = '';
    for await (const page of pages) {
      ids.push(...page.events.map(({ id }) => id));
      damaged.push(...(page.damaged ?? []));
      ({ next } = page);
      if (ids.length === 3) break;
    }
    expect([ids, damaged, next]).toEqual([['a', 'b', 'c'], ['pas.hunian/0/2'], 'c4']);
    const asked = hub.requests.map((r) => [
      r.path.split('/').at(-1),
      r.query.get('cursor'),
      r.headers['last-event-id'],
    ]);
    expect(asked).toEqual([
      ['events', null, undefined],
      ['events', 'c1', undefined],
      ['live', null, 'c1'],
      ['events', 'c3', undefined],
      ['live', null, 'c3'],
    ]);
    expect(Object.fromEntries(hub.requests[2]!.query)).toEqual({ type: 'pas.hunian.dilaporkan', unit: 'SU00001' });
  });

  it.each(['offset_out_of_range', 'unknown_cursor'])(
    'throws for a gap (%s) what a page at that place throws',
    async (code) => {
      const { reader } = await reading(
        tail((write) => write('c9', { stream: 'pas.hunian', code, from: 'earliest' }, 'gap')),
      );
      const seen: string[] = [];
      const all = async (): Promise<void> => {
        for await (const page of reader.pages('pas.hunian', { follow: 'live' })) seen.push(page.next);
      };
      await expect(all()).rejects.toMatchObject({ code, retryable: false });
      expect(seen).toEqual(['c1', 'c1']);
    },
  );
});

describe('state, lists and receipts', () => {
  it('resolves undefined for 404, and retries a 503 of a view that is rebuilding instead of answering undefined (R7)', async () => {
    let n = 0;
    const entry = { view: 'v', key: 'a/b', value: { x: 1 }, position: 'p', updatedtime: 't', stale: false };
    const { hub, reader } = await reading((r) =>
      r.path.endsWith('/none')
        ? { status: 404, body: { code: 'not_found' } }
        : n++ === 0
          ? { status: 503, body: { code: 'view_rebuilding' } }
          : { status: 200, body: entry },
    );
    expect(await reader.state('v', 'none')).toBeUndefined();
    expect(await reader.state('v', 'a/b', { after: 'pas.hunian/0/5', waitMs: 2000 })).toEqual(entry);
    const request = hub.requests.at(-1)!;
    expect(request.path).toBe('/v1/state/v/a/b');
    expect(request.query.get('after')).toBe('pas.hunian/0/5');
    expect(request.headers['prefer']).toBe('wait=2');
  });

  it('reads a list page by page to its end', async () => {
    const { reader } = await reading((r) =>
      r.query.get('cursor') === null
        ? { status: 200, body: { units: [{ id: 'SU1' }], next: 'n' } }
        : { status: 200, body: { units: [], next: 'n' } },
    );
    const ids: string[] = [];
    for await (const u of reader.units({ type: 'kanim' })) ids.push(u.id);
    expect(ids).toEqual(['SU1']);
  });

  it('reads a list on over empty pages to its end: a page whose scan found nothing to show is not the end', async () => {
    const entry = { view: 'v', key: 'z', value: {}, position: 's/0/1', updatedtime: 't', stale: false };
    const pages: Record<string, object> = {
      first: { entries: [], next: 'a', stale: false, incomplete: true },
      a: { entries: [], next: 'b', stale: false, incomplete: true },
      b: { entries: [entry], next: 'c', stale: false, incomplete: true },
      c: { entries: [], next: 'd', stale: false },
      d: { entries: [{ ...entry, key: 'zz' }], next: null, stale: false },
    };
    const { hub, reader } = await reading((r) => ({ status: 200, body: pages[r.query.get('cursor') ?? 'first'] }));
    const keys: string[] = [];
    for await (const e of reader.states('v', { unit: 'SU00066' })) keys.push(e.key);
    expect(keys).toEqual(['z', 'zz']);
    expect(hub.requests.map((r) => r.query.get('unit'))).toEqual(Array(5).fill('SU00066'));
  });

  it('resolves undefined for the receipt of an event that is not in the log', async () => {
    const { reader } = await reading(() => ({ status: 404, body: { code: 'not_found' } }));
    expect(await reader.receipt('s', 'i')).toBeUndefined();
  });
});
