import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataFolder } from '#folder';
import type { EventLog, NewRecord } from '#log';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';

export const topic = 'coba.cadangan';
export const rec = (value: string): NewRecord => ({ key: Buffer.from('k'), value: Buffer.from(value), headers: [] });
export const many = (from: number, count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => rec(`v${from + i}`));
export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `v${i}`);

/** The values of the topic, in order. */
export async function values(log: EventLog): Promise<string[]> {
  const out: string[] = [];
  const [range] = await log.describe(topic);
  for (let at = range!.low; at < range!.high;) {
    const batch = await log.read(topic, 0, at);
    if (batch.kind !== 'records') throw new Error(batch.kind);
    out.push(...batch.records.map((r) => (r.damaged ? 'damaged' : r.value!.toString())));
    at = batch.next;
  }
  return out;
}

/** A temporary folder for a data folder and its backup, with the logs that are open in it. */
export class BackupStage {
  readonly root = mkdtempSync(join(tmpdir(), 'simpul-backup-'));
  readonly dir = join(this.root, 'data');
  readonly target = join(this.root, 'backups', 'one');
  readonly #open: EmbeddedLog[] = [];

  /** The folder of a hub: format file, keys, a state file, and a log that the caller may close. */
  async dataFolder(records: number, at = this.dir): Promise<EmbeddedLog> {
    openDataFolder(at, 'embedded').release();
    for (const name of ['admin.key', 'pseudonym.key'])
      writeFileSync(join(at, name), `${name} of ${records}\n`, { mode: 0o600 });
    writeFileSync(join(at, 'state.sqlite'), 'folded again');
    const log = await this.openLog(at);
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    for (let n = 0; n < records; n += 100) await log.append(topic, 0, many(n, Math.min(100, records - n)));
    return log;
  }

  async openLog(at = this.dir): Promise<EmbeddedLog> {
    const log = await openEmbeddedLog({ dir: at });
    this.#open.push(log);
    return log;
  }

  async close(log: EmbeddedLog): Promise<void> {
    this.#open.splice(this.#open.indexOf(log), 1);
    await log.close();
  }

  async end(): Promise<void> {
    await Promise.all(this.#open.map((log) => log.close()));
    rmSync(this.root, { recursive: true, force: true });
  }
}
