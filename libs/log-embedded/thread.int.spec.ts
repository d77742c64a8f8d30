import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { openEmbeddedLog, type EmbeddedLog } from './index.js';

let dir: string;
let log: EmbeddedLog;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-thread-'));
  log = await openEmbeddedLog({ dir });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a writer thread that ends by an error', () => {
  it('leaves what it was asked uncertain, and its exit does not touch what the next thread was asked', async () => {
    const topic = 'coba.utas';
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    const rec = (value: string) => ({ key: null, value: Buffer.from(value), headers: [] });
    expect(await log.append(topic, 0, [rec('a')])).toMatchObject({ kind: 'accepted', base: 0n });
    const worker = posted.mock.contexts[0] as Worker;
    posted.mockRestore();
    const ended = new Promise((resolve) => worker.once('error', resolve));
    const again = ended.then(() => log.append(topic, 0, [rec('b')]));
    worker.postMessage([null]);
    expect(await log.append(topic, 0, [rec('lost')])).toMatchObject({ kind: 'uncertain' });
    expect(await again).toMatchObject({ kind: 'accepted' });
    // the first thread is not the one that close() ends, and the log is whole
    await log.close();
    log = await openEmbeddedLog({ dir });
    const batch = await log.read(topic, 0, 0n);
    expect(batch.kind === 'records' && batch.records.map((r) => r.value!.toString())).toEqual(['a', 'b']);
  });
});
