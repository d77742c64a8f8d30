import { describe, expect, it } from '@jest/globals';
import { PartitionSequences } from './partition-sequences.js';

describe('the sequence numbers of a partition', () => {
  it('go on where the last written batch ended; a batch that was not written uses up none', () => {
    const of = new PartitionSequences();
    of.take({ id: 7n, epoch: 2 });
    expect(of.forBatch()).toEqual({ producerId: 7n, epoch: 2, sequence: 0 });
    expect(of.forBatch().sequence).toBe(0);
    of.written(30);
    expect(of.forBatch()).toEqual({ producerId: 7n, epoch: 2, sequence: 30 });
  });

  it('begin again at 0 with each new epoch, and well before the end of an int32', () => {
    const of = new PartitionSequences();
    of.take({ id: 7n, epoch: 0 });
    of.written(1_999_999_999);
    expect(of.forBatch()).toEqual({ producerId: 7n, epoch: 0, sequence: 1_999_999_999 });
    of.written(500);
    expect(of.forBatch()).toEqual({ producerId: 7n, epoch: 1, sequence: 0 });
  });

  it('need a new producer id after epoch 32767, and never the id that is used up', () => {
    const of = new PartitionSequences();
    of.take({ id: 7n, epoch: 32_766 });
    expect(of.newEpoch()).toBe('new_epoch');
    expect(of.forBatch()).toEqual({ producerId: 7n, epoch: 32_767, sequence: 0 });
    expect(of.newEpoch()).toBe('new_id');
    expect([of.needsId, of.accepts({ id: 7n, epoch: 0 }), of.accepts({ id: 8n, epoch: 0 })]).toEqual([
      true,
      false,
      true,
    ]);
    of.take({ id: 8n, epoch: 0 });
    expect(of.forBatch()).toEqual({ producerId: 8n, epoch: 0, sequence: 0 });
  });
});
