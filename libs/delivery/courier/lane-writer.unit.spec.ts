import { describe, expect, it } from '@jest/globals';
import { Fault } from '#faults';
import type { StoredRow } from '../port.js';
import { LaneWriter } from './lane-writer.js';

const row = (n: number): StoredRow => ({ kind: 'held', position: `a.b/0/${n}`, lane: 'a.b\nx', subject: 'x' });

class Stage {
  readonly told: string[] = [];
  readonly stop = new AbortController();
  /** Of the next writes, in order. */
  faults: Fault[] = [];
  attemptsAre: Promise<void> = Promise.resolve();
  readonly writer = new LaneWriter({
    lanes: {
      write: (changes) => {
        const fault = this.faults.shift();
        if (fault !== undefined) return Promise.reject(fault);
        this.told.push(...changes.map(({ key, row: r }) => `${r === undefined ? '-' : '+'}${key}`));
        return Promise.resolve();
      },
    },
    attempts: { flush: () => this.attemptsAre.then(() => void this.told.push('attempts')) },
    epoch: 7n,
    signal: this.stop.signal,
    fenced: () => void this.told.push('fenced'),
  });
}

describe('rows of lanes', () => {
  it('are written when the attempts that ended before are on record, in the order of the calls', async () => {
    const stage = new Stage();
    let recorded = (): void => undefined;
    stage.attemptsAre = new Promise((resolve) => (recorded = resolve));
    const first = stage.writer.write([{ key: '1', row: row(1) }]);
    const later = stage.writer.write([
      { key: '2', row: row(2) },
      { key: '1', row: undefined },
    ]);
    await new Promise(setImmediate);
    expect(stage.told).toEqual([]);
    recorded();
    expect(await Promise.all([first, later])).toEqual([true, true]);
    expect(stage.told.filter((line) => line !== 'attempts')).toEqual(['+1', '+2', '-1']);
    expect(stage.told[0]).toBe('attempts');
  });

  it('of an owner that is no longer one are not written, and it is told', async () => {
    const stage = new Stage();
    stage.faults = [new Fault('fenced')];
    expect(await stage.writer.write([{ key: '1', row: row(1) }])).toBe(false);
    expect(stage.told).toEqual(['attempts', 'fenced']);
  });

  it('are not written any more when the partition closes', async () => {
    const stage = new Stage();
    stage.faults = [new Fault('log_unavailable')];
    const written = stage.writer.write([{ key: '1', row: row(1) }]);
    stage.stop.abort();
    expect(await written).toBe(false);
  });
});
