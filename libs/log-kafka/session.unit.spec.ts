import { describe, expect, it } from '@jest/globals';
import { SessionClock } from './session.js';

describe('the session of a group member', () => {
  it('counts from when a heartbeat was sent, also when its answer is read after a freeze', () => {
    const session = new SessionClock();
    expect(session.aliveAt).toBe(0);
    session.answered('SyncGroup', 1_000);
    session.joined();
    expect(session.aliveAt).toBe(1_000);
    session.answered('Heartbeat', 2_000);
    session.heartbeat();
    expect(session.aliveAt).toBe(2_000);
    // sent at 3,000, and frozen until 15,000: another member may own the partitions since 13,000
    session.answered('Heartbeat', 3_000);
    session.heartbeat();
    expect(session.aliveAt).toBe(3_000);
  });

  it('is not kept alive by a heartbeat that the coordinator refused, nor by other requests', () => {
    const session = new SessionClock();
    session.answered('SyncGroup', 1_000);
    session.joined();
    session.answered('Heartbeat', 5_000);
    session.answered('Fetch', 6_000);
    session.answered('Metadata', 7_000);
    expect(session.aliveAt).toBe(1_000);
  });

  it('is in doubt from a heartbeat that the coordinator refused to the next one that it took, or a join', () => {
    const session = new SessionClock();
    session.answered('SyncGroup', 1_000);
    session.joined();
    expect(session.isRefused).toBe(false);
    session.answered('Heartbeat', 2_000);
    session.heartbeat();
    expect(session.isRefused).toBe(false);
    session.answered('Heartbeat', 3_000);
    expect(session.isRefused).toBe(true);
    session.answered('SyncGroup', 4_000);
    session.joined();
    expect(session.isRefused).toBe(false);
  });
});
