import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HubStage, type Body } from '../../test/kit/doors/hub-stage.js';
import { until } from '../../test/kit/projection/stage.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
let hub: HubStage;
beforeEach(async () => {
  hub = await new HubStage().open({ project: false });
});
afterEach(() => hub.close());

const receiptPath = (e: { source: string; id: string }): string =>
  `/v1/receipts?${new URLSearchParams({ source: e.source, id: e.id })}`;

/** The id of the event that the log holds at the place of a receipt. */
async function idAt({ partition, offset }: Body): Promise<string | undefined> {
  const read = await hub.log.read(STREAM, partition, BigInt(offset), { maxRecords: 1 });
  const headers = read.kind === 'records' ? (read.records[0]?.headers ?? []) : [];
  return headers.find(([name]) => name === 'ce_id')?.[1]?.toString();
}

async function indexed(e: Body, receipt: Body, offset: bigint): Promise<void> {
  const { stream, partition, digest, recordedtime } = receipt;
  const type = hub.catalogue.newest(TYPE)!;
  const row = { source: e['source'], id: e['id'], stream, partition, offset, schemaId: type.schemaId };
  await hub.state.putFirst([
    { ...row, digest: digest!.slice('sha-256:'.length), recordedTimeMs: Date.parse(recordedtime) },
  ]);
}

describe('a receipt', () => {
  it('is never given for a place beyond the log end or for the place of another event: the event that is sent again is written, with 201', async () => {
    const made = () => hub.event(TYPE, 'kanim', {}, { nomorPermohonan: 'P-1' });
    const [here, beyond, elsewhere] = [made(), made(), made()];
    const receipt = (await hub.post(here)).body;
    // receipts that a lost log gave
    await indexed(beyond, receipt, 50n);
    await indexed(elsewhere, receipt, BigInt(receipt['offset'] as number));
    const gateway = await hub.another();
    for (const e of [beyond, elsewhere]) {
      const lookup = await gateway.ask(receiptPath(e));
      expect([lookup.status, lookup.body['code']]).toEqual([503, 'receipts_unavailable']);
      const r = await gateway.post(e);
      expect([r.status, r.body['duplicate']]).toEqual([201, false]);
      expect(await idAt(r.body)).toBe(e.id);
    }
  });

  it('of a row that the log confirms is given, in a batch with new events too', async () => {
    const e = hub.event(TYPE);
    const first = await hub.post(e);
    await indexed(e, first.body, BigInt(first.body['offset'] as number));
    const gateway = await hub.another();
    expect((await gateway.ask(receiptPath(e))).body).toEqual(first.body);
    const r = await gateway.post([hub.event(TYPE), e], { type: 'application/cloudevents-batch+json' });
    expect(r.body['receipts'].map((x: Body) => x['duplicate'])).toEqual([false, true]);
    expect(r.body['receipts'][1]).toEqual({ ...first.body, duplicate: true });
  });

  it('does not survive its topic: what this process remembers of its own appends ends when the topic is made again', async () => {
    const e = hub.event(TYPE);
    const first = await hub.post(e);
    expect((await hub.post(e)).status).toBe(200);
    await hub.log.deleteTopic(STREAM);
    const lookup = await hub.ask(receiptPath(e));
    expect([lookup.status, lookup.body['code']]).toEqual([503, 'receipts_unavailable']);
    await hub.log.ensureTopic({ name: STREAM, partitions: 3, cleanup: 'keep' });
    const other = await hub.post(hub.event(TYPE, 'kanim', {}, { nomorPermohonan: e.data['nomorPermohonan'] }));
    expect(other.body['position']).toBe(first.body['position']);
    const again = await hub.post(e);
    expect([again.status, again.body['duplicate']]).toEqual([201, false]);
    expect(await idAt(again.body)).toBe(e['id']);
    await hub.project();
    await until(async () => (await hub.ask(receiptPath(e))).status === 200);
    expect((await hub.ask(receiptPath(e))).body).toMatchObject({ position: again.body['position'] });
  });
});
