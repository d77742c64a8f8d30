import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { encodeStreamCursor } from '#reading';
import { HubStage } from '../../../test/kit/doors/hub-stage.js';
import { until } from '../../../test/kit/projection/stage.js';

const stage = new HubStage();
const TYPE = 'layanan.pengaduan.diterima';
const STREAM = 'layanan.pengaduan';

beforeAll(async () => {
  await stage.open({ partitions: 1 });
});
afterAll(() => stage.close());

it('a stream whose topic is missing in the log is 500 unknown_topic at the read doors, ends live readers, and other streams are read; made again, old cursors are 410', async () => {
  const { partitions } = stage.catalogue.stream(STREAM)!;
  const { body } = await stage.post(stage.event(TYPE));
  expect(body['position']).toBe(`${STREAM}/0/0`);
  const path = `/v1/streams/${STREAM}/events`;
  await until(async () => (await stage.ask(path)).body['events']?.length === 1);
  const cursor = String((await stage.ask(path)).body['next']);
  const headers = { authorization: 'Bearer kanim' };
  const live = await fetch(`${stage.server.url}/v1/streams/${STREAM}/live?from=latest`, { headers });
  const ended = live.text();
  const waiting = stage.ask(`${path}?wait=30&cursor=${cursor}`);
  await stage.log.deleteTopic(STREAM);
  const gone = { status: 500, body: { code: 'unknown_topic' } };
  expect(await waiting).toMatchObject(gone);
  for (const p of [path, `${path}?cursor=${cursor}`, `/v1/streams/${STREAM}`, `/v1/events/${STREAM}/0/0`])
    expect([p, await stage.ask(p)]).toMatchObject([p, gone]);
  // a live reader is not left waiting: its stream ends, and the next one says why
  expect(await ended).not.toContain('event: gap');
  expect(await stage.ask(`/v1/streams/${STREAM}/live?cursor=${cursor}`)).toMatchObject(gone);
  expect((await stage.ask('/v1/streams/imigrasi.cegah/events', { key: 'steward' })).status).toBe(200);
  await stage.log.ensureTopic({ name: STREAM, partitions, cleanup: 'keep' });
  expect((await stage.ask(path)).status).toBe(200);
  expect(await stage.ask(`${path}?cursor=${cursor}`)).toMatchObject({
    status: 410,
    body: { code: 'stream_recreated' },
  });
});

it('a cursor behind the end of the log, as after a restore from an older backup, is 412 with a next step; a live reader gets a gap and reads on from the earliest event', async () => {
  const stream = 'layanan.kasus';
  const { body } = await stage.post(stage.event('layanan.kasus.status-berubah'));
  const path = `/v1/streams/${stream}`;
  await until(async () => (await stage.ask(`${path}/events`)).body['events']?.length === 1);
  const topicId = (await stage.log.topicId(stream)).slice(0, 8);
  const cursor = encodeStreamCursor({ stream, topicId, next: [1_000n] });
  const pull = await stage.ask(`${path}/events?cursor=${cursor}`, { headers: { 'accept-language': 'en' } });
  expect(pull).toMatchObject({
    status: 412,
    body: { code: 'unknown_cursor', hint: expect.stringContaining('from=earliest') },
  });
  expect((await stage.ask(`${path}/events?wait=30&cursor=${cursor}`)).status).toBe(412);
  const stop = new AbortController();
  const headers = { authorization: 'Bearer kanim', 'last-event-id': cursor };
  const live = await fetch(`${stage.server.url}${path}/live`, { headers, signal: stop.signal });
  let text = '';
  for await (const bytes of live.body!) {
    text += Buffer.from(bytes).toString();
    if (text.includes(String(body['position']))) break;
  }
  stop.abort();
  expect(text).toMatch(/event: gap\ndata: \{"stream":"layanan.kasus","code":"unknown_cursor","from":"earliest"\}/);
});
