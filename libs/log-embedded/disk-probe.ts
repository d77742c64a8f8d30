import { Fault } from '#faults';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A disk that took this much a moment ago takes the next appends. */
const PROBE_BYTES = 64 * 1024;
/** After a refusal more must fit: pages of the WAL that are free again would make one small write succeed on a full disk. */
const AFTER_REFUSAL_BYTES = 1024 * 1024;
const EVERY_MS = 5_000;

/** Whether the folder of a log takes data now: writes a file and removes it, at most once in 5 s while all is well. */
export class DiskProbe {
  readonly #file: string;
  #refused = false;
  #okAt = Number.NEGATIVE_INFINITY;

  constructor(dir: string) {
    this.#file = join(dir, 'write-probe');
  }

  /** An append was refused because the disk is full: the next check looks again. */
  refused(): void {
    this.#refused = true;
    this.#okAt = Number.NEGATIVE_INFINITY;
  }

  /** Faults `disk_full`; `folder_unusable` for a folder that cannot be written, such as one that is mounted read-only. */
  async check(): Promise<void> {
    if (performance.now() - this.#okAt < EVERY_MS) return;
    try {
      await writeFile(this.#file, Buffer.alloc(this.#refused ? AFTER_REFUSAL_BYTES : PROBE_BYTES), { mode: 0o600 });
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code ?? 'error';
      throw new Fault(code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'folder_unusable', {
        detail: code,
        cause: e,
      });
    } finally {
      await rm(this.#file, { force: true }).catch(() => undefined);
    }
    this.#refused = false;
    this.#okAt = performance.now();
  }
}
