import { describe, expect, it } from '@jest/globals';
import {
  checkPlace,
  epochOf,
  isBeginning,
  placeProof,
  proofAt,
  proofBehindHole,
  proofOfBeginning,
} from './place-proof.js';
import type { EventLog, LogRecord, ReadAnswer } from './port.js';

const TOPIC_ID = '0123456789abcdef0123456789abcdef';
const record = (offset: bigint, more: Partial<LogRecord> = {}): LogRecord => ({
  offset,
  appendTimeMs: 5,
  leaderEpoch: 7,
  key: Buffer.from('k'),
  value: Buffer.from(`v${offset}`),
  headers: [],
  ...more,
});

const nextOf = (found: readonly LogRecord[]) => {
  const last = found.at(-1);
  return last && last.offset + 1n;
};

/** A topic of this name that was made again, and holds the very same records. */
function madeAgain(log: Pick<EventLog, 'read'>): Pick<EventLog, 'read'> {
  const topicId = 'fedcba9876543210fedcba9876543210';
  return {
    read: (topic, partition, from, limits = {}) =>
      limits.topicId === undefined || limits.topicId === topicId
        ? log.read(topic, partition, from, limits)
        : Promise.resolve({ kind: 'recreated', topicId }),
  };
}

/** A log whose leader believes at first that less is committed than there is. */
function logOf(records: readonly LogRecord[], end: bigint, knownEnds: bigint[] = [], low = 0n): Pick<EventLog, 'read'> {
  return {
    read: (_topic, _partition, from, { maxRecords = 500 } = {}) => {
      const high = from === end ? end : (knownEnds.shift() ?? end);
      const found = records.filter((r) => r.offset >= from && r.offset < high).slice(0, maxRecords);
      const answer: ReadAnswer =
        from > end || from < low
          ? { kind: 'out_of_range', low, high }
          : { kind: 'records', topicId: TOPIC_ID, records: found, next: nextOf(found) ?? high, low, high };
      return Promise.resolve(answer);
    },
  };
}

describe('the proof of a place', () => {
  it('differs for another topic, leader epoch, append time, key or value, and is text without white space', () => {
    const texts = [
      placeProof(TOPIC_ID, record(4n), 5n),
      placeProof(TOPIC_ID.replace('0', 'f'), record(4n), 5n),
      placeProof(TOPIC_ID, record(4n, { leaderEpoch: 8 }), 5n),
      placeProof(TOPIC_ID, record(4n, { appendTimeMs: 6 }), 5n),
      placeProof(TOPIC_ID, record(4n, { key: null }), 5n),
      placeProof(TOPIC_ID, record(4n, { key: Buffer.from('kv'), value: Buffer.from('4') }), 5n),
      placeProof(TOPIC_ID, record(4n, { damaged: true }), 5n),
      placeProof(TOPIC_ID, record(4n), 6n),
    ];
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts.filter((t) => /\s/.test(t))).toEqual([]);
    // the offset is not in it
    expect(placeProof(TOPIC_ID, record(9n, { value: Buffer.from('v4') }), 10n)).toBe(texts[0]);
  });

  it('says the leader epoch at the offset before it, and none behind offsets without a record: a marker of another leader may lie there', () => {
    const proof = placeProof(TOPIC_ID, record(4n), 5n);
    expect([epochOf(proof), epochOf(placeProof(TOPIC_ID, record(4n), 6n)), epochOf(undefined)]).toEqual([
      7,
      undefined,
      undefined,
    ]);
    expect(proofBehindHole(proof)).toBe(placeProof(TOPIC_ID, record(4n), 6n));
    expect(proofBehindHole(proofBehindHole(proof))).toBe(proofBehindHole(proof));
  });

  it('is compared with the last record before the place, also over offsets without a record', async () => {
    const log = logOf([record(3n), record(4n)], 8n);
    expect(await checkPlace(log, 't', 0, 8n, placeProof(TOPIC_ID, record(4n), 8n))).toBe('same');
    expect(await checkPlace(log, 't', 0, 5n, placeProof(TOPIC_ID, record(4n), 5n))).toBe('same');
    expect(await checkPlace(log, 't', 0, 5n, placeProof(TOPIC_ID, record(3n), 5n))).toBe('differs');
    expect(await checkPlace(log, 't', 0, 9n, placeProof(TOPIC_ID, record(4n), 9n))).toBe('differs');
  });

  it('is made for a place that was stored without one, when the log has that place', async () => {
    const log = logOf([record(3n), record(4n)], 8n);
    expect(await proofAt(log, 't', 0, 5n, TOPIC_ID)).toBe(placeProof(TOPIC_ID, record(4n), 5n));
    expect(await proofAt(log, 't', 0, 8n, TOPIC_ID)).toBe(placeProof(TOPIC_ID, record(4n), 8n));
    expect(await proofAt(log, 't', 0, 9n, TOPIC_ID)).toBeUndefined();
    expect(await proofAt(log, 't', 0, 0n, TOPIC_ID)).toBeUndefined();
  });

  it('is no mismatch when a leader that was just elected does not know yet how far the log is committed', async () => {
    const proof = placeProof(TOPIC_ID, record(4n), 5n);
    expect(await checkPlace(logOf([record(4n)], 5n, [4n]), 't', 0, 5n, proof)).toBe('same');
  });

  it('differs in a topic that was made again, also where the very same record lies at the place, and where nothing was read below it', async () => {
    const log = logOf([record(3n), record(4n)], 5n);
    for (const [next, proof] of [
      [5n, placeProof(TOPIC_ID, record(4n), 5n)],
      [3n, proofOfBeginning(TOPIC_ID)],
      [0n, proofOfBeginning(TOPIC_ID)],
    ] as const)
      expect([
        await checkPlace(log, 't', 0, next, proof),
        await checkPlace(madeAgain(log), 't', 0, next, proof),
      ]).toEqual(['same', 'differs']);
  });

  it('of a place below which nothing was read names the topic alone: it holds at any end, not above it, and is unknown below what retention keeps', async () => {
    const proof = proofOfBeginning(TOPIC_ID);
    expect([isBeginning(proof), isBeginning(proofBehindHole(proof)), epochOf(proof)]).toEqual([true, true, undefined]);
    expect([isBeginning(placeProof(TOPIC_ID, record(4n), 5n)), isBeginning(undefined)]).toEqual([false, false]);
    expect(await checkPlace(logOf([], 7n, [], 7n), 't', 0, 7n, proof)).toBe('same');
    expect(await checkPlace(logOf([], 6n), 't', 0, 7n, proof)).toBe('differs');
    expect(await checkPlace(logOf([], 9n, [], 8n), 't', 0, 7n, proof)).toBe('unknown');
  });
});
