import { afterEach, describe, expect, it } from '@jest/globals';
import { scriptedHub, type Script } from '../../test/kit/scripted-hub.js';
import { connect, createPublisher, type Publisher, type Step } from './index.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const idOf = (body: string): string => (JSON.parse(body) as { id: string }).id;
let offset = 0;
const receipt = (body: string) => {
  const e = JSON.parse(body) as { id: string; source: string; type: string };
  return {
    ...e,
    stream: 'imigrasi.paspor',
    partition: 0,
    offset,
    position: `imigrasi.paspor/0/${offset++}`,
    digest: 'sha-256:00',
    recordedtime: '2021-07-15T00:00:00Z',
    duplicate: false,
  };
};
const accepted = (body: string) => ({ status: 201, body: receipt(body) });

async function publishing(script: Script, more: { deadlineMs?: number; width?: number } = {}) {
  const hub = await scriptedHub(script);
  const connection = connect({ url: hub.url, timeoutMs: 2000, retry: { firstMs: 2, maxMs: 10 } });
  const steps: Step[] = [];
  const publisher: Publisher = createPublisher({
    connection,
    key: 'k1',
    owner: 'SU00123',
    system: 'simkim',
    report: { step: (s) => steps.push(s) },
    ...more,
  });
  closing.push(
    hub.close,
    () => connection.close(),
    () => publisher.close(),
  );
  return { hub, publisher, steps };
}
const fact = (no: string) => ({ type: 'imigrasi.paspor.diterbitkan', data: { nomorPermohonan: no }, orderingKey: no });

describe('publish', () => {
  it('sends a CloudEvent with the API key and resolves with the receipt', async () => {
    const { hub, publisher } = await publishing((r) => accepted(r.body));
    const r = await publisher.publish({ ...fact('P-1'), extensions: { korelasi: 'P-1' } });
    expect(r.position).toMatch(/^imigrasi\.paspor\/0\/\d+$/);
    const sent = JSON.parse(hub.requests[0]!.body) as Record<string, unknown>;
    expect(sent).toMatchObject({
      specversion: '1.0',
      source: 'urn:simpul:unit:SU00123:simkim',
      type: 'imigrasi.paspor.diterbitkan',
      korelasi: 'P-1',
      urutanunit: '1',
      data: { nomorPermohonan: 'P-1' },
    });
    expect(sent).not.toHaveProperty('orderingKey');
    expect(hub.requests[0]!.headers['authorization']).toBe('Bearer k1');
  });

  it('sends data as bare Avro with its attributes as headers, the same in each retry; a refusal names attributes as for JSON', async () => {
    const avro = Uint8Array.from([2, 0, 254, 65]);
    let n = 0;
    const { hub, publisher, steps } = await publishing((r) => {
      const [id, source, type] = ['id', 'source', 'type'].map((name) => r.headers[`ce-${name}`]);
      switch (n++) {
        case 0:
          return { status: 503, body: { code: 'not_durable' }, headers: { 'retry-after': '0' } };
        case 1:
          return accepted(JSON.stringify({ id, source, type }));
        default:
          return {
            status: 400,
            body: { code: 'invalid_attribute', errors: [{ pointer: 'ce-time' }, { pointer: '/data/n' }] },
          };
      }
    });
    const event = {
      ...fact('P-1'),
      dataschema: 'urn:simpul:schema:imigrasi.paspor.diterbitkan:1',
      subject: 'Perkara "7" 50% – é',
      extensions: { korelasi: 'P-1' },
    };
    const receipt_ = await publisher.publish(event, avro);
    const [first, second] = hub.requests;
    expect(second!.headers).toEqual(first!.headers);
    expect([first!.body, second!.body]).toEqual(Array(2).fill(Buffer.from(avro).toString()));
    expect(first!.headers).toMatchObject({
      'content-type': 'avro/binary',
      'ce-specversion': '1.0',
      'ce-id': receipt_.id,
      'ce-source': 'urn:simpul:unit:SU00123:simkim',
      'ce-type': 'imigrasi.paspor.diterbitkan',
      'ce-dataschema': event.dataschema,
      'ce-subject': 'Perkara%20%227%22%2050%25%20%E2%80%93%20%C3%A9',
      'ce-korelasi': 'P-1',
      'ce-urutanunit': '1',
    });
    expect(Object.keys(first!.headers)).not.toContain('ce-orderingkey');
    expect(steps.map((s) => s.kind)).toEqual(['invoke', 'info', 'ok']);
    await expect(publisher.publish(event, avro)).rejects.toMatchObject({
      code: 'invalid_attribute',
      problem: { errors: [{ pointer: '/time' }, { pointer: '/data/n' }] },
    });
  });

  it.each([
    ['there is no dataschema', {}],
    ['an attribute is too long for a header', { subject: 'x'.repeat(7_000) }],
    ['an attribute is no Unicode text', { subject: '\ud800' }],
    ['a name is none of CloudEvents', { extensions: { 'Nomor Surat': '7' } }],
  ])('sends JSON in place of Avro when %s', async (_why, more) => {
    const { hub, publisher } = await publishing((r) => accepted(r.body));
    const named =
      Object.keys(more).length === 0 ? {} : { dataschema: 'urn:simpul:schema:imigrasi.paspor.diterbitkan:1' };
    await publisher.publish({ ...fact('P-1'), ...named, ...more }, Uint8Array.of(1));
    expect(hub.requests[0]!.headers['content-type']).toBe('application/cloudevents+json');
    expect(JSON.parse(hub.requests[0]!.body)).toMatchObject({ data: { nomorPermohonan: 'P-1' } });
  });

  it('retries with the same id after 503, 429, a broken connection and a success without a receipt, until the hub answers a receipt', async () => {
    let n = 0;
    const { hub, publisher, steps } = await publishing((r) => {
      switch (n++) {
        case 0:
          return { status: 503, body: { code: 'not_durable' }, headers: { 'retry-after': '0' } };
        case 1:
          r.res.destroy();
          return undefined;
        case 2:
          return { status: 429, body: { code: 'too_many_requests' } };
        case 3:
          return { status: 200, body: { hello: 'a proxy' } };
        default:
          return accepted(r.body);
      }
    });
    await publisher.publish(fact('P-2'));
    expect(hub.requests).toHaveLength(5);
    expect(new Set(hub.requests.map((r) => idOf(r.body))).size).toBe(1);
    expect(steps.map((s) => s.kind)).toEqual(['invoke', 'info', 'info', 'info', 'info', 'ok']);
  });

  it('waits at least for the time of Retry-After before it retries', async () => {
    let n = 0;
    const times: number[] = [];
    const { publisher } = await publishing((r) => {
      times.push(performance.now());
      return n++ === 0 ? { status: 503, headers: { 'retry-after': '1' } } : accepted(r.body);
    });
    await publisher.publish(fact('P-3'));
    expect(times[1]! - times[0]!).toBeGreaterThan(980);
  });

  it('sends no later event of a subject while the outcome of an earlier one is uncertain; events of other subjects are sent (R3.7)', async () => {
    let refuse = true;
    const { hub, publisher } = await publishing((r) =>
      refuse && r.body.includes('P-4') ? { status: 503 } : accepted(r.body),
    );
    const first = publisher.publish(fact('P-4'));
    const later = publisher.publish({ ...fact('P-4'), type: 'imigrasi.paspor.permohonan-diajukan' });
    await publisher.publish(fact('P-5'));
    refuse = false;
    await Promise.all([first, later]);
    const own = hub.requests
      .filter((r) => r.body.includes('P-4'))
      .map((r) => (JSON.parse(r.body) as { type: string }).type);
    const firstLater = own.indexOf('imigrasi.paspor.permohonan-diajukan');
    expect(own.slice(0, firstLater).every((t) => t === 'imigrasi.paspor.diterbitkan')).toBe(true);
    expect(own.slice(firstLater)).toEqual(['imigrasi.paspor.permohonan-diajukan']);
  });

  it('sends Accept-Language only when a language is set', async () => {
    const hub = await scriptedHub(() => ({ status: 200, body: {} }));
    for (const more of [{ language: 'en' as const }, {}]) {
      const connection = connect({ url: hub.url, ...more });
      await connection.call('/v1/me', { key: 'k1', shape: () => true });
      await connection.close();
    }
    await hub.close();
    expect(hub.requests.map((r) => r.headers['accept-language'])).toEqual(['en', undefined]);
  });

  it('rejects with the problem document of a refusal without a retry, and uses the sequence number again', async () => {
    const { hub, publisher } = await publishing((r) =>
      r.body.includes('bukan')
        ? {
            status: 422,
            body: {
              code: 'schema_mismatch',
              errors: [{ pointer: '/data/tanggalTerbit', reason: 'harus tanggal', expected: 'date' }],
            },
          }
        : accepted(r.body),
    );
    await expect(publisher.publish({ ...fact('P-6'), data: { tanggalTerbit: 'bukan' } })).rejects.toMatchObject({
      name: 'SdkFault',
      status: 422,
      code: 'schema_mismatch',
      retryable: false,
    });
    await publisher.publish(fact('P-6'));
    expect(hub.requests.map((r) => (JSON.parse(r.body) as { urutanunit: string }).urutanunit)).toEqual(['1', '1']);
    expect(publisher.sequences()).toEqual({ 'imigrasi.paspor': 1 });
  });

  it('rejects with not_settled at the deadline, and still sends the event', async () => {
    let down = true;
    const { publisher, steps } = await publishing((r) => (down ? { status: 503 } : accepted(r.body)), {
      deadlineMs: 50,
    });
    await expect(publisher.publish(fact('P-7'))).rejects.toMatchObject({ code: 'not_settled', retryable: true });
    down = false;
    await publisher.flush();
    expect(steps.at(-1)?.kind).toBe('ok');
  });

  it('rejects events without an outcome with closed when close() is called', async () => {
    const { publisher } = await publishing(() => ({ status: 503 }));
    const open = publisher.publish(fact('P-8'));
    const queued = publisher.publish(fact('P-8'));
    const ends = Promise.allSettled([open, queued]);
    await publisher.close();
    expect((await ends).map((e) => (e.status === 'rejected' ? (e.reason as { code: string }).code : 'sent'))).toEqual([
      'closed',
      'closed',
    ]);
  });
});

describe('publishBatch', () => {
  it('resolves with one outcome per event in order, and retries only the events with an uncertain outcome', async () => {
    let n = 0;
    const { hub, publisher } = await publishing((r) => {
      const lines = r.body.split('\n');
      const round = n++;
      return {
        status: round === 0 ? 207 : 201,
        body:
          round === 0
            ? {
                results: [
                  { status: 201, receipt: receipt(lines[0]!) },
                  { status: 422, problem: { code: 'schema_mismatch' } },
                  { status: 503, problem: { code: 'not_durable' } },
                ],
              }
            : { receipts: lines.map(receipt) },
      };
    });
    const out = await publisher.publishBatch([fact('P-1'), fact('P-2'), fact('P-3')]);
    expect(out.map((o) => (o.ok ? 'ok' : o.fault.code))).toEqual(['ok', 'schema_mismatch', 'ok']);
    expect(hub.requests.map((r) => r.body.split('\n').length)).toEqual([3, 1]);
    expect(hub.requests[0]!.headers['content-type']).toBe('application/x-ndjson');
    expect(hub.requests[0]!.query.get('partial')).toBe('true');
    expect(idOf(hub.requests[1]!.body)).toBe(idOf(hub.requests[0]!.body.split('\n')[2]!));
  });

  it('splits a long list into requests of at most 1,000 events', async () => {
    const { hub, publisher } = await publishing((r) => ({
      status: 201,
      body: { receipts: r.body.split('\n').map(receipt) },
    }));
    const out = await publisher.publishBatch(Array.from({ length: 2100 }, (_, i) => fact(`P-${i}`)));
    expect(out.every((o) => o.ok)).toBe(true);
    expect(hub.requests.map((r) => r.body.split('\n').length).sort((a, b) => a - b)).toEqual([100, 1000, 1000]);
  });

  it('sends a later single event of a subject only after the batch that has an earlier one', async () => {
    let n = 0;
    const { hub, publisher } = await publishing((r) => {
      if (r.path === '/v1/events' && r.query.has('partial'))
        return n++ < 2 ? { status: 503 } : { status: 201, body: { receipts: r.body.split('\n').map(receipt) } };
      return accepted(r.body);
    });
    const batch = publisher.publishBatch([fact('P-1'), fact('P-2')]);
    const single = publisher.publish(fact('P-2'));
    await Promise.all([batch, single]);
    expect(hub.requests.map((r) => r.query.has('partial'))).toEqual([true, true, true, false]);
  });

  it('whose stream is gone at the hub keeps waiting alone: other events, also of its batch, are sent and their later events too', async () => {
    const gone = { code: 'unknown_topic', title: 'No such topic', status: 500 };
    let mended = false;
    const { hub, publisher } = await publishing(
      (r) => {
        const results = r.body
          .split('\n')
          .map((body) =>
            body.includes('HILANG') && !mended
              ? { status: 500, problem: gone }
              : { status: 201, receipt: receipt(body) },
          );
        if (r.query.get('partial') === 'true') return { status: 207, body: { results } };
        const [one] = results;
        return one!.status === 500 ? { status: 500, body: gone } : { status: 201, body: one!.receipt };
      },
      { width: 1 },
    );
    const batch = publisher.publishBatch([fact('HILANG'), fact('P-1')]);
    const later = publisher.publish({ ...fact('HILANG'), orderingKey: 'HILANG', id: 'later' });
    expect((await publisher.publish({ ...fact('P-1'), id: 'next of P-1' })).id).toBe('next of P-1');
    expect((await publisher.publish(fact('P-2'))).position).toMatch(/^imigrasi/);
    expect(hub.requests.some((r) => r.body.includes('"later"'))).toBe(false);
    mended = true;
    expect((await batch).map((o) => o.ok)).toEqual([true, true]);
    expect((await later).id).toBe('later');
    await publisher.flush();
    expect(publisher.pending).toBe(0);
  });
});
