import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { partitionOfSubscription } from '#subscriptions';
import { CALLER_NAMES, SubscriptionEdge, type Answer } from '../../../test/kit/doors/subscription-edge.js';

const SPEC = { types: ['sdm.#'], target: { kind: 'webhook', url: 'https://a.example/h' } };
const OPEN = 'sdm.pegawai/0/1';
const RESTRICTED = 'itjen.wbs/0/1';

let edge: SubscriptionEdge;
let ours: string;
let theirs: string;
let clock = 0;
beforeEach(async () => {
  edge = await new SubscriptionEdge().open();
  edge.table.ownAll(edge.url);
  ours = (await edge.ask('POST', '', 'own', { ...SPEC, name: 'kami' })).body.id;
  theirs = (await edge.ask('POST', '', 'beside', { ...SPEC, name: 'mereka-2' })).body.id;
  clock = 0;
});
afterEach(() => edge.close());

/** Appends a row as a courier writes it, and answers the position of its record. */
function attempted(subscription: string, id: string, position = OPEN): string {
  const row = { id, position, subject: 'S-1', try: 1, at: '2021-07-15T00:00:00.000Z', ms: 3, head: 'NIK 99' };
  const partition = partitionOfSubscription(subscription);
  const value = Buffer.from(JSON.stringify({ ...row, status: 422, outcome: 'failed' }));
  const offset = edge.attempts.append(partition, { key: Buffer.from(subscription), value, headers: [] }, ++clock);
  return `_simpul.attempts/${partition}/${offset}`;
}
const idsOf = ({ body }: Answer): string[] => (body.attempts as { id: string }[]).map(({ id }) => id);

describe('the stream of attempts', () => {
  it('shows the owner its own attempts whole, and to other units none', async () => {
    const record = attempted(ours, 'satu');
    attempted(theirs, 'dua');
    // In the partition of ours.
    const near = (await edge.ask('POST', '', 'beside', { ...SPEC, name: 'mereka' })).body.id as string;
    expect(partitionOfSubscription(near)).toBe(partitionOfSubscription(ours));
    attempted(near, 'tiga');
    const { status, body } = await edge.attemptsOf('own');
    expect([status, body.attempts]).toEqual([
      200,
      [
        {
          ...{ record, owner: 'SU00123', id: 'satu', subscription: ours, position: OPEN, subject: 'S-1', try: 1 },
          ...{ at: '2021-07-15T00:00:00.000Z', ms: 3, head: 'NIK 99', status: 422, outcome: 'failed' },
        },
      ],
    ]);
    expect(idsOf(await edge.attemptsOf('beside'))).toEqual(['dua', 'tiga']);
    for (const above of ['abovereader', 'aboveadmin', 'aboveoperator'])
      expect(idsOf(await edge.attemptsOf(above))).toEqual([]);
    expect((await edge.attemptsOf('publisher')).status).toBe(403);
  });

  it('shows data teams, stewards and the hub all of them, in the order of the log, without what may name a person', async () => {
    for (const [n, of] of [ours, theirs, ours, theirs].entries()) attempted(of, `${n}`);
    attempted('sub_00000000000000000000', 'of a subscription that is gone');
    for (const as of ['data', 'steward', 'hub']) {
      const answer = await edge.attemptsOf(as);
      expect(idsOf(answer)).toEqual(['0', '1', '2', '3', 'of a subscription that is gone']);
      expect(JSON.stringify(answer.body)).not.toMatch(/S-1|NIK|subject|head/);
    }
    for (const as of ['ownoperator', 'ownadmin']) {
      const answer = await edge.attemptsOf(as);
      expect(idsOf(answer)).toEqual(['0', '2']);
      expect(JSON.stringify(answer.body)).not.toMatch(/S-1|NIK|subject|head/);
    }
  });

  it('tells of a restricted event only its owner, and whom its type names; of a stream that is not known, nobody else', async () => {
    attempted(ours, 'satu', RESTRICTED);
    attempted(ours, 'dua', 'tidak.ada/0/1');
    expect(idsOf(await edge.attemptsOf('own'))).toEqual(['satu', 'dua']);
    const others = CALLER_NAMES.filter((name) => name !== 'own' && name !== 'publisher');
    for (const as of [...others, 'data', 'steward', 'ownoperator'])
      expect(idsOf(await edge.attemptsOf(as))).toEqual([]);
  });

  it('goes on at a cursor: every attempt once, also those that come meanwhile, and it begins at a time or a record', async () => {
    const records = Array.from({ length: 7 }, (_, n) => attempted(n % 2 === 0 ? ours : theirs, `${n}`));
    const got: string[] = [];
    let cursor = '';
    for (let page = 0; page < 5; page++) {
      const answer = await edge.attemptsOf('data', `?limit=2${cursor}`);
      expect(answer.headers.get('link')).toContain('rel="next"');
      got.push(...idsOf(answer));
      cursor = `&cursor=${answer.body.next as string}`;
      if (page === 2) attempted(ours, '7');
    }
    expect(got).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    expect(idsOf(await edge.attemptsOf('data', '?from=latest'))).toEqual([]);
    expect(idsOf(await edge.attemptsOf('data', `?from=${records[4]!}`))).toEqual(['4', '5', '6', '7']);
    expect(idsOf(await edge.attemptsOf('data', '?from=1970-01-01T00:00:00.006Z'))).toEqual(['5', '6', '7']);
  });

  it('says that a page ended before the end because it had looked at enough', async () => {
    // The owner of the other subscription reads past what is not its own.
    const beside = partitionOfSubscription(theirs);
    const key = Buffer.from(ours);
    for (let n = 0; n < 20_010; n++)
      edge.attempts.append(beside, { key, value: Buffer.from('{}'), headers: [] }, ++clock);
    attempted(theirs, 'satu');
    const first = await edge.attemptsOf('beside');
    expect([idsOf(first), first.body.incomplete]).toEqual([[], true]);
    const second = await edge.attemptsOf('beside', `?cursor=${first.body.next as string}`);
    expect([idsOf(second), second.body.incomplete]).toEqual([['satu'], undefined]);
  });

  it('is NDJSON to whoever accepts that, with the cursor in a header', async () => {
    attempted(ours, 'satu');
    attempted(ours, 'dua');
    const lines = await edge.attemptsOf('own', '', { accept: 'application/x-ndjson' });
    expect(lines.headers.get('content-type')).toContain('application/x-ndjson');
    const rows = (lines.body as string).trimEnd().split('\n');
    expect(rows.map((row) => (JSON.parse(row) as { id: string }).id)).toEqual(['satu', 'dua']);
    const more = await edge.attemptsOf('own', `?cursor=${lines.headers.get('simpul-next')!}`);
    expect([more.status, idsOf(more)]).toEqual([200, []]);
  });

  it('never jumps: a place that is no longer kept is 410, one beyond the end 412, one in a stream made again 410', async () => {
    for (const n of ['0', '1', '2']) attempted(ours, n);
    const { next } = (await edge.attemptsOf('own', '?limit=1')).body as { next: string };
    const code = async (as = 'own') => {
      const { status, body } = await edge.attemptsOf(as, `?cursor=${next}`);
      return [status, body.code, body.errors?.[0]?.pointer];
    };
    const partition = partitionOfSubscription(ours);
    edge.attempts.low[partition] = 2n;
    expect(await code()).toEqual([410, 'offset_out_of_range', '?cursor']);
    // A partition without a subscription of the reader has nothing that it could miss; with one made later it is read from what is kept.
    expect(partition).not.toBe(partitionOfSubscription(theirs));
    const beside = await edge.attemptsOf('beside', `?cursor=${next}`);
    expect(beside.status).toBe(200);
    expect(idsOf(await edge.attemptsOf('data', `?cursor=${beside.body.next as string}`))).toEqual(['2']);
    edge.attempts.low[partition] = 0n;
    edge.attempts.partitions[partition]!.length = 0;
    expect(await code()).toEqual([412, 'unknown_cursor', undefined]);
    edge.attempts.id = 'fedcba98'.repeat(4);
    expect((await code())[1]).toBe('stream_recreated');
  });
});
