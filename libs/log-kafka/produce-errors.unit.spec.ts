import { describe, expect, it } from '@jest/globals';
import { FENCED, NOT_WRITTEN, verdictOf } from './produce-errors.js';
import { ERROR, errorText, type ErrorName } from './protocol.js';

const withVerdict = (verdict: string): string[] =>
  Object.entries(ERROR)
    .filter(([, code]) => verdictOf(code) === verdict)
    .map(([name]) => name);

describe('the verdict on an error code of a Produce answer', () => {
  it('is uncertain for the codes that a leader answers only after it may have written the batch', () => {
    expect(withVerdict('retry_uncertain')).toEqual([
      'REQUEST_TIMED_OUT',
      'NETWORK_EXCEPTION',
      'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    ]);
  });

  it('is uncertain also when the leader has lost the partition, because it says so for a batch that it has written and that others may have copied', () => {
    expect(withVerdict('retry_moved')).toEqual(['NOT_LEADER_OR_FOLLOWER', 'KAFKA_STORAGE_ERROR']);
  });

  it('is final for every code by which an append is refused, among them UNSUPPORTED_COMPRESSION_TYPE (76), and for a code that is not in the table', () => {
    for (const name of NOT_WRITTEN satisfies readonly ErrorName[])
      expect(`${name}: ${verdictOf(ERROR[name])}`).toBe(`${name}: give_up`);
    expect(verdictOf(9_999)).toBe('give_up');
    expect(NOT_WRITTEN).toEqual(expect.arrayContaining(['UNSUPPORTED_COMPRESSION_TYPE', 'MESSAGE_TOO_LARGE']));
    for (const name of FENCED) expect(verdictOf(ERROR[name])).not.toMatch(/^retry|written/);
  });

  it('asks for a new epoch or a new producer id when the broker does not know the numbers of the batch', () => {
    expect(withVerdict('new_epoch')).toEqual(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID']);
    expect(withVerdict('new_id')).toEqual(['INVALID_PRODUCER_EPOCH']);
  });

  it('is a retry while an election is not finished', () => {
    expect(withVerdict('retry')).toEqual(
      expect.arrayContaining(['LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION', 'NOT_ENOUGH_REPLICAS']),
    );
    expect(withVerdict('written')).toEqual(['NONE']);
  });
});

describe('the text of an error code', () => {
  it('has the name of the protocol and the number, also for a code that is not in the table', () => {
    expect([errorText(6), errorText(9_999)]).toEqual(['NOT_LEADER_OR_FOLLOWER (6)', 'error 9999']);
  });
});
