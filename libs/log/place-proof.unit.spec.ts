import { describe, expect, it } from '@jest/globals';
import { checkPlace, epochOf, placeProof, proofAt, proofBehindHole } from './place-proof.js';
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

/** A log whose leader believes at first that less is committed than there is. */
function logOf(records: readonly LogRecord[], end: bigint, knownEnds: bigint[] = []): Pick<EventLog, 'read'> {
  return {
    read: (_topic, _partition, from, { maxRecords = 500 } = {}) => {
      const high = from === end ? end : (knownEnds.shift() ?? end);
      const found = records.filter((r) => r.offset >= from && r.offset < high).slice(0, maxRecords);
      const answer: ReadAnswer =
        from > end
          ? { kind: 'out_of_range', low: 0n, high }
          : { kind: 'records', topicId: TOPIC_ID, records: found, next: nextOf(found) ?? high, low: 0n, high };
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
});
