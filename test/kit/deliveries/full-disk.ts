import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { occupancy } from '../occupancy.js';
import { PRISONS, subjectOf, type Fleet } from './fleet.js';

/** A small disk of its own, that can be filled. */
export class SmallDisk {
  readonly dir = mkdtempSync(join(tmpdir(), 'simpul-disk-'));

  private constructor() {}

  /** undefined: this process may not mount one. */
  static mount(megabytes: number): SmallDisk | undefined {
    const disk = new SmallDisk();
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk.dir]).status === 0) return disk;
    rmSync(disk.dir, { recursive: true });
    return undefined;
  }

  fill(): void {
    spawnSync('dd', ['if=/dev/zero', `of=${this.#filler}`, 'bs=64K']);
  }

  empty(): void {
    rmSync(this.#filler);
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.dir]);
    rmSync(this.dir, { recursive: true, force: true });
  }

  get #filler(): string {
    return join(this.dir, 'filler');
  }
}

/** Publishes 100 reports of a prison about 20 days in one batch; those that the hub acknowledges are due. false: it answered 503; the next call sends the same batch. */
export async function publishBatch(fleet: Fleet): Promise<boolean> {
  const [unit] = PRISONS as [string];
  const source = `urn:simpul:unit:${unit}:sdp`;
  const lines = Array.from({ length: 100 }, (_, n) => {
    const subject = subjectOf(unit, n % 20);
    const data = occupancy(unit, subject.slice(unit.length + 1), n, '2022-07-20T00:00:00Z');
    const id = `banyak-${fleet.due.length}-${n}`;
    const attributes = { specversion: '1.0', id, source, type: 'pas.hunian.dilaporkan', korelasi: 'x'.repeat(1_000) };
    return JSON.stringify({ ...attributes, data });
  });
  const answer = await fetch(`${fleet.door.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fleet.key(unit)}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  const { receipts = [] } = (await answer.json()) as { receipts?: { id: string; position: string }[] };
  if (answer.status === 503) return false;
  if (answer.status !== 201) throw new Error(`publish: ${answer.status}`);
  for (const [n, { id, position }] of receipts.entries())
    fleet.due.push({ id, source, subject: subjectOf(unit, n % 20), position });
  return true;
}
