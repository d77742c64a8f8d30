import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deploy, type Deployment } from '../kit/deployment.js';

const page = readFileSync('docs/tutorial/first-event.md', 'utf8');
const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map((m) => m[1]!);

describe('the commands of docs/tutorial/first-event.md', () => {
  let hub: Deployment;
  const outputs: string[] = [];
  beforeAll(async () => {
    hub = await deploy();
    // One shell for all blocks, as a reader has: a block uses variables that an earlier block exported.
    const script = blocks.join('\necho; echo "=== next block"\n');
    const here = script.replaceAll('http://127.0.0.1:8080', hub.url).replaceAll('.simpul/data', hub.dir);
    const ran = spawnSync('bash', ['-c', here], {
      encoding: 'utf8',
      env: { ...process.env, LANG: 'C.UTF-8' },
      timeout: 50_000,
    });
    if (ran.status !== 0 || ran.stderr.includes('✗')) throw new Error(ran.stderr);
    outputs.push(...ran.stdout.split('=== next block\n').map((t) => t.trim()));
  });
  afterAll(() => hub.close());
  const answer = (n: number): Record<string, unknown> =>
    JSON.parse(outputs[n]!.split('\n').at(-1)!) as Record<string, unknown>;

  it('make a key and show its unit, source and roles', () => {
    expect(answer(0)).toMatchObject({
      unit: 'SU00518',
      source: 'urn:simpul:unit:SU00518:sdp',
      roles: ['publisher', 'reader'],
    });
  });

  it('publish an event, and the same event again gives the first receipt as a duplicate', () => {
    expect(answer(1)).toMatchObject({ id: 'report-2021-07-20', stream: 'pas.hunian', duplicate: false });
    expect(answer(2)).toEqual({ ...answer(1), duplicate: true });
  });

  it('show the event once in the stream', () => {
    const { events } = answer(3) as { events: Record<string, unknown>[] };
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      id: 'report-2021-07-20',
      subject: 'SU00518:2021-07-20',
      position: answer(1)['position'],
    });
  });

  it('show the state entry with the position of the event', () => {
    expect(answer(4)).toMatchObject({ key: 'SU00518', position: answer(1)['position'], stale: false });
  });

  it('show a pointer for every mistake of an invalid event', () => {
    const refusal = answer(5) as { errors: { pointer: string }[] };
    expect(refusal).toMatchObject({ status: 422, code: 'schema_mismatch', title: 'Data does not match the schema' });
    expect(refusal.errors.map((e) => e.pointer).toSorted()).toEqual([
      '/data/extra',
      '/data/kapasitas',
      '/data/tanggal',
    ]);
  });
});
