import { describe, expect, it } from '@jest/globals';
import { Appetite, PullMemory } from './memory.js';

class Stage {
  readonly lanes = { most: 0, waiting: 0, hold: (items: number) => void (this.lanes.most = items) };
  isBehind = true;
  readonly appetite: Appetite;

  constructor(memory: PullMemory) {
    this.appetite = new Appetite({ memory, lanes: this.lanes, isBehind: () => this.isBehind });
  }

  /** Somebody pulls so many; how many it may have in memory then. */
  pulled(limit: number, waiting = this.lanes.waiting): number {
    this.lanes.waiting = waiting;
    this.appetite.pulled(limit);
    return this.lanes.most;
  }
}

describe('a pull subscription', () => {
  it('has little in memory while nobody pulls, and much only while somebody catches up with large leases', () => {
    const stage = new Stage(new PullMemory());
    expect(stage.lanes.most).toBe(100);
    expect([stage.pulled(100), stage.pulled(1_000), stage.pulled(100)]).toEqual([1_000, 4_000, 1_000]);
    stage.isBehind = false;
    expect(stage.pulled(1_000)).toBe(1_000);
  });

  it('is one of few that have much, until it is not behind and what it has has gone', () => {
    const memory = new PullMemory({ atOnce: 1 });
    const [one, two] = [new Stage(memory), new Stage(memory)];
    expect([one.pulled(1_000), two.pulled(1_000), one.pulled(1_000)]).toEqual([4_000, 1_000, 4_000]);
    one.isBehind = false;
    expect([one.pulled(1_000, 1_001), two.pulled(1_000)]).toEqual([4_000, 1_000]);
    expect([one.pulled(1_000, 1_000), two.pulled(1_000)]).toEqual([1_000, 4_000]);
    two.appetite.end();
    one.isBehind = true;
    expect(one.pulled(1_000)).toBe(4_000);
  });

  it('rests with little in memory; where more is there, somebody must take it away', () => {
    const stage = new Stage(new PullMemory());
    stage.pulled(100, 101);
    expect([stage.appetite.rested(), stage.lanes.most]).toEqual([false, 1_000]);
    stage.lanes.waiting = 100;
    expect([stage.appetite.rested(), stage.lanes.most]).toEqual([true, 100]);
  });
});
