import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NewRecord } from '#log';
import { HubStage, type Body } from '../../../test/kit/doors/hub-stage.js';
import { until } from '../../../test/kit/projection/stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';

describe('a record whose attributes have changed', () => {
  let hub: HubStage;
  let position: string;
  let good: Body;
  let before: string;
  let live: string;
  const stop = new AbortController();

  beforeAll(async () => {
    hub = await new HubStage().open();
    good = (await hub.post(hub.event(TYPE))).body;
    before = (await hub.ask(`/v1/streams/${STREAM}/events?from=latest`)).body['next'] as string;
    live = '';
    const stream = await fetch(`${hub.server.url}/v1/streams/${STREAM}/live?from=latest`, {
      headers: { authorization: 'Bearer kanim' },
      signal: stop.signal,
    });
    void (async () => {
      for await (const bytes of stream.body!) live += Buffer.from(bytes).toString();
    })().catch(() => undefined);
    const read = await hub.log.read(STREAM, good['partition'] as number, BigInt(good['offset'] as number), {
      maxRecords: 1,
    });
    const [record] = read.kind === 'records' ? read.records : [];
    // The digest covers key and value only: with this source the event would be another unit's.
    const headers = record!.headers.map(([name, value]): NewRecord['headers'][number] => [
      name,
      name === 'ce_source' ? Buffer.from('urn:simpul:unit:SU00124:simkim') : value,
    ]);
    const written = await hub.log.append(STREAM, 0, [{ key: record!.key, value: record!.value, headers }]);
    position = `${STREAM}/0/${written.kind === 'accepted' ? written.base : ''}`;
    await until(() => hub.settled.end(STREAM, 0) > BigInt(position.split('/')[2]!));
  });
  afterAll(async () => {
    stop.abort();
    await hub.close();
  });

  it('is named on the page that comes past it, in JSON and NDJSON, whatever the filter, and never shown as an event', async () => {
    for (const filter of ['', '&type=imigrasi.paspor.permohonan-diajukan', '&unit=SU00124']) {
      const page = await hub.ask(`/v1/streams/${STREAM}/events?cursor=${before}${filter}`);
      expect([filter, page.body['events'], page.body['damaged']]).toEqual([filter, [], [position]]);
      expect(
        (await hub.ask(`/v1/streams/${STREAM}/events?cursor=${page.body['next']}`)).body['damaged'],
      ).toBeUndefined();
    }
    const lines = await hub.ask(`/v1/streams/${STREAM}/events?cursor=${before}`, {
      headers: { accept: 'application/x-ndjson' },
    });
    expect(lines.headers.get('simpul-damaged')).toBe(position);
    const waiting = await hub.ask(`/v1/streams/${STREAM}/events?cursor=${before}&wait=20`);
    expect(waiting.body['damaged']).toEqual([position]);
  });

  it('is told to a live reader by a message, which then gets the events behind it', async () => {
    await until(() => live.includes('event: damaged'));
    expect(live).toContain(JSON.stringify({ stream: STREAM, position }));
    const next = (await hub.post(hub.event(TYPE))).body;
    await until(() => live.includes(next['id'] as string));
  });

  it('answers corrupt_record at its position, and is the receipt of nobody', async () => {
    const one = await hub.ask(`/v1/events/${position}`);
    expect([one.status, one.body['code']]).toEqual([500, 'corrupt_record']);
    const receipt = await hub.ask(
      `/v1/receipts?source=${encodeURIComponent(good['source'] as string)}&id=${good['id']}`,
    );
    expect(receipt.body['position']).toBe(good['position']);
  });
});
