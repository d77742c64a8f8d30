import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { Bench, E500, OK, places, REFUSED, UNREACHABLE } from './lanes.fixture.js';
import { Lanes } from './lanes.js';
import type { Outcome } from './types.js';

const MINUTE = 60_000;

describe('the lanes of a subscription', () => {
  it('deliver in order per subject, with one attempt in flight per lane, and side by side between subjects', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'y', 'x', 'z']) b.offer(subject);
    const first = [b.take()!, b.take()!, b.take()!];
    expect(first.map(places)).toEqual([[0], [2], [4]]);
    expect(b.take()).toBeUndefined();
    b.settle(first[1]!, OK);
    expect(b.take()).toBeUndefined();
    b.settle(first[0]!, OK);
    expect(b.run(() => OK)).toEqual([1, 3]);
    expect(b.next()).toBe(4n);
    b.settle(first[2]!, OK);
    expect(b.next()).toBe(5n);
    expect(b.lanes.counts().waiting).toBe(0);
  });

  it('try three times, at 0, 5 and 30 s, each try after the first recorded before it starts', () => {
    const b = new Bench();
    const began = b.time;
    b.offer('x');
    b.settle(b.take()!, E500);
    expect(b.take()).toBeUndefined();
    expect(b.lanes.nextDueMs()).toBe(began + 5_000);
    b.time = began + 5_000;
    const second = b.lanes.take()!;
    expect([second.try, second.before]).toEqual([
      2,
      [{ key: 's/r/a/0/0', row: expect.objectContaining({ kind: 'retry', try: 2, cause: 'status' }) }],
    ]);
    b.write(second.before);
    b.settle(second, E500);
    expect(b.lanes.nextDueMs()).toBe(began + 30_000);
    b.time = began + 30_000;
    const third = b.take()!;
    expect(b.settle(third, E500).results).toEqual(['parked']);
    expect([...b.rows.keys()]).toEqual(['s/p/a/0/0']);
  });

  it('park an event with everything behind it in rows, and only then the cursor passes; other subjects go on', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'y', 'x']) b.offer(subject);
    const effects = b.lanes.settle(b.lanes.take()!, REFUSED);
    expect(effects.changes.map((c) => c.key)).toEqual(['s/p/a/0/0', 's/h/a/0/1', 's/h/a/0/3']);
    expect(b.run(() => OK)).toEqual([2]);
    expect(b.next()).toBe(0n);
    b.apply(effects);
    expect(b.next()).toBe(4n);
    b.offer('x');
    expect(b.rows.has('s/h/a/0/4')).toBe(true);
    expect(b.lanes.counts()).toMatchObject({ parked: 1, held: 3, waiting: 0 });
    expect([...b.lanes.parked()]).toMatchObject([{ position: 'a/0/0', held: 3, cause: 'status', lastStatus: 422 }]);
  });

  it('a parked event that is delivered releases its lane when its row is deleted: first what was held, then later ones', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'x']) b.offer(subject);
    b.settle(b.take()!, REFUSED);
    expect(b.lanes.redrive('a/0/0')).toBe(true);
    const effects = b.lanes.settle(b.take()!, OK);
    expect(b.take()).toBeUndefined();
    b.apply(effects);
    b.offer('x');
    expect(b.rows.has('s/h/a/0/3')).toBe(true);
    expect(b.run(() => OK)).toEqual([1, 2, 3]);
    expect(b.rows.size).toBe(0);
    b.offer('x');
    expect(b.rows.size).toBe(0);
  });

  it('a held event that fails becomes the next parked one, with tries of its own', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'x']) b.offer(subject);
    b.settle(b.take()!, REFUSED);
    b.apply(b.lanes.skip('a/0/0')!);
    for (const wait of [0, 5_000, 25_000]) {
      b.time += wait;
      expect(b.run(() => E500)).toEqual([1]);
    }
    expect([...b.rows.keys()].sort()).toEqual(['s/h/a/0/2', 's/p/a/0/1']);
  });

  it('go on with a parked event by the long schedule, and end it as a dead letter that stays until a person acts', () => {
    const b = new Bench();
    b.offer('x');
    b.offer('x');
    b.settle(b.take()!, REFUSED);
    const waits: number[] = [];
    for (let due = b.lanes.nextDueMs(); due !== undefined; due = b.lanes.nextDueMs()) {
      waits.push((due - b.time) / MINUTE);
      b.time = due;
      expect(b.run(() => E500)).toEqual([0]);
    }
    expect(waits).toEqual([5, 30, 120, 300, 600, 840, 1200, 1440]);
    expect([...b.lanes.parked()]).toMatchObject([{ tries: 9, deadAt: new Date(b.time).toISOString() }]);
    expect(b.lanes.counts()).toMatchObject({ parked: 0, dead: 1 });
    b.lanes.redrive('a/0/0');
    expect(b.settle(b.take()!, E500).results).toEqual(['failed']);
    expect(b.lanes.counts().dead).toBe(1);
    b.apply(b.lanes.skip('a/0/0')!);
    expect(b.run(() => OK)).toEqual([1]);
    expect(b.rows.size).toBe(0);
  });

  it('when the target is down, one probe at a time runs, and nothing is parked or counted', () => {
    const b = new Bench({ windowStart: 64 });
    for (let i = 0; i < 30; i++) b.offer(`s${i}`);
    const flights = Array.from({ length: 20 }, () => b.take()!);
    for (const flight of flights.slice(0, 19)) b.settle(flight, E500);
    expect(b.lanes.status).toBe('active');
    expect(b.settle(flights[19]!, E500).alarms).toEqual([{ kind: 'target_down', cause: 'status' }]);
    expect(b.lanes.status).toBe('waiting');
    let began = b.time;
    const waits: number[] = [];
    for (let n = 0; n < 12; n++) {
      b.time = b.lanes.nextDueMs()!;
      waits.push((b.time - began) / 1000);
      const probe = b.take()!;
      expect([probe.probe, probe.try, b.take()]).toEqual([true, 1, undefined]);
      began = b.time;
      b.settle(probe, UNREACHABLE);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
    expect([b.next(), b.rows.size, b.lanes.counts().parked]).toEqual([0n, 0, 0]);
    b.time = b.lanes.nextDueMs()!;
    expect(b.settle(b.take()!, OK).alarms).toEqual([{ kind: 'target_up' }]);
    expect(b.run(() => OK)).toHaveLength(29);
    expect(b.next()).toBe(30n);
  });

  /** A target that is down by 20 failures of 20 subjects. */
  const down = (subjects: number): Bench => {
    const b = new Bench({ windowStart: 20 });
    for (let i = 0; i < subjects; i++) b.offer(`s${i}`);
    const flights = Array.from({ length: 20 }, () => b.take()!);
    for (const flight of flights) b.settle(flight, E500);
    expect(b.lanes.status).toBe('waiting');
    return b;
  };

  it('a probe that is refused shows that the target is up, and counts for its event', () => {
    const b = down(30);
    b.time = b.lanes.nextDueMs()!;
    const probe = b.take()!;
    const effects = b.settle(probe, REFUSED);
    expect(effects).toMatchObject({ results: ['parked'], alarms: [{ kind: 'target_up' }, { kind: 'parked' }] });
    expect(b.lanes.status).toBe('active');
    expect(b.run(() => OK)).toHaveLength(29);
  });

  it('answers that refuse their events do not make a target look down, and one that was sent before shows that it is up', () => {
    const b = new Bench({ windowStart: 64 });
    for (let i = 0; i < 40; i++) b.offer(`s${i}`);
    expect(b.run((offset) => (offset < 30 ? REFUSED : OK))).toHaveLength(40);
    expect([b.lanes.status, b.lanes.counts().parked]).toEqual(['active', 30]);
    for (let i = 0; i < 21; i++) b.offer(`t${i}`);
    const flights = Array.from({ length: 21 }, () => b.take()!);
    for (const flight of flights.slice(0, 20)) b.settle(flight, E500);
    expect(b.lanes.status).toBe('waiting');
    b.settle(flights[20]!, REFUSED);
    expect([b.lanes.status, b.lanes.counts().parked]).toEqual(['active', 31]);
  });

  it('a probe that fails for its subject only is followed soon by one of another lane: 50 such subjects cost less than a minute', () => {
    const b = down(51);
    const began = b.time;
    const probed: number[] = [];
    while (b.lanes.status === 'waiting') {
      b.time = b.lanes.nextDueMs()!;
      const probe = b.take()!;
      probed.push(...places(probe)!);
      b.settle(probe, places(probe)![0] === 19 ? OK : E500);
    }
    expect(new Set(probed).size).toBe(probed.length);
    expect([probed.at(-1), probed.length]).toEqual([19, 51]);
    expect(b.time - began).toBeLessThan(60_000);
    expect([...b.rows.keys()]).toEqual([]);
  });

  it('the wait grows when every lane was tried, and when a probe is not answered', () => {
    const b = new Bench();
    b.offer('x');
    b.settle(b.take()!, UNREACHABLE);
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      const before = b.time;
      b.time = b.lanes.nextDueMs()!;
      waits.push((b.time - before) / 1000);
      b.settle(b.take()!, n === 2 ? { kind: 'failed', reason: 'timeout' } : E500);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16]);
  });

  it('one poisoned subject does not make the target look down, however often it fails', () => {
    const b = new Bench();
    for (let i = 0; i < 25; i++) b.offer(i < 24 ? 'x' : 'y');
    for (let i = 0; i < 24; i++) {
      const attempt = b.take()!;
      if (attempt.items[0]!.subject === 'y') {
        b.settle(attempt, OK);
        continue;
      }
      b.settle(attempt, REFUSED);
      for (const { position } of b.lanes.parked()) b.apply(b.lanes.skip(position)!);
    }
    expect(b.lanes.status).toBe('active');
  });

  it('a connection that cannot be made means at once that the target is down', () => {
    const b = new Bench();
    b.offer('x');
    b.settle(b.take()!, UNREACHABLE);
    expect(b.lanes.status).toBe('waiting');
    expect(b.lanes.nextDueMs()).toBe(b.time + 1000);
  });

  it('a stream-ordered lane never parks: an alarm after try 3, then the same event again; only skip passes it', () => {
    const b = new Bench();
    b.offer('x', 0n, true);
    b.offer('y', 1n, true);
    const alarms: string[] = [];
    for (let n = 1; n <= 15; n++) {
      const attempt = b.take()!;
      expect([places(attempt), attempt.try]).toEqual([[0], n]);
      alarms.push(...b.settle(attempt, n === 2 ? REFUSED : E500).alarms.map((a) => `${a.kind} ${n}`));
      b.time = b.lanes.nextDueMs()!;
    }
    expect(alarms).toEqual(['stream_stands 3']);
    expect([b.next(), [...b.rows.keys()]]).toEqual([0n, ['s/r/a/0/0']]);
    expect(b.lanes.skip('a/0/1')).toBeUndefined();
    b.apply(b.lanes.skip('a/0/0')!);
    expect(b.next()).toBe(1n);
    expect(b.run(() => OK)).toEqual([1]);
    expect(b.rows.size).toBe(0);
  });

  it('a stream-ordered lane that stands is listed with its cause, and a person tries its head at once or skips it', () => {
    const b = new Bench();
    for (const offset of [0n, 1n, 2n]) b.offer(`s${offset}`, offset, true);
    for (let n = 1; n <= 3; n++) {
      expect([[...b.lanes.parked()].length, b.lanes.counts().parked]).toEqual([0, 0]);
      b.settle(b.take()!, REFUSED);
      b.time = b.lanes.nextDueMs()!;
    }
    b.time -= 1;
    const shown = { position: 'a/0/0', subject: 's0', cause: 'status', lastStatus: 422, tries: 3, held: 2 };
    expect([...b.lanes.parked()]).toMatchObject([shown]);
    expect([b.lanes.parkedAt('a/0/0'), b.lanes.parkedAt('a/0/1')]).toMatchObject([shown, undefined]);
    expect([b.lanes.counts().parked, b.take()]).toEqual([1, undefined]);
    expect([b.lanes.redrive('a/0/1'), b.lanes.redrive('a/0/0')]).toEqual([false, true]);
    expect(b.settle(b.take()!, E500).results).toEqual(['failed']);
    expect([b.take(), b.lanes.redrive('a/0/0')]).toEqual([undefined, true]);
    b.time += 1;
    expect(b.settle(b.take()!, OK).results).toEqual(['delivered']);
    expect([[...b.lanes.parked()], b.run(() => OK)]).toEqual([[], [1, 2]]);
    const after = new Bench({}, [
      {
        kind: 'retry',
        position: 'a/0/7',
        lane: 'a',
        subject: 's7',
        try: 3,
        firstAt: '2026-01-01T00:00:00Z',
        cause: 'x',
      },
    ]);
    expect([...after.lanes.parked()]).toMatchObject([{ position: 'a/0/7', tries: 3, cause: 'x', held: 0 }]);
    after.apply(after.lanes.skip('a/0/7')!);
    expect([...after.lanes.parked()]).toEqual([]);
  });

  it('at the limit of held events the subscription pauses with an alarm, and nothing is dropped', () => {
    const b = new Bench({ maxHeldOfLane: 3 });
    b.offer('x');
    b.settle(b.take()!, REFUSED);
    for (let i = 0; i < 2; i++) b.offer('x');
    expect(b.lanes.paused).toBe(false);
    b.lanes.offer({
      place: { stream: 'a', partition: 0, offset: 3n },
      lane: 'a\nx',
      subject: 'x',
      bytes: 1,
      event: '',
    });
    const effects = b.apply(b.lanes.pending()!);
    expect(effects).toMatchObject({ pause: 'held_limit', alarms: [{ kind: 'held_limit', subject: 'x' }] });
    expect([b.lanes.paused, b.lanes.room, b.take()]).toEqual([true, 0, undefined]);
    b.lanes.resume();
    b.apply(b.lanes.skip('a/0/0')!);
    expect(b.run(() => OK)).toEqual([1, 2, 3]);
  });

  it('a batch that fails is halved until one event is the cause; only that one counts a try', () => {
    const b = new Bench();
    for (let i = 0; i < 8; i++) b.offer(`s${i}`);
    const sizes: number[] = [];
    const delivered: number[] = [];
    for (let a = b.take(8); a !== undefined; a = b.take(8)) {
      sizes.push(a.items.length);
      const poison = places(a)!.includes(5);
      if (!poison) delivered.push(...places(a)!);
      b.settle(a, poison ? REFUSED : OK);
    }
    expect(sizes).toEqual([8, 4, 4, 2, 2, 1, 1]);
    expect(delivered.sort()).toEqual([0, 1, 2, 3, 4, 6, 7]);
    expect([...b.lanes.parked()]).toMatchObject([{ position: 'a/0/5', tries: 1 }]);
  });

  it('a lease has several consecutive events of a lane; what is committed is finished, what is not comes again in order', () => {
    const b = new Bench({ probes: false });
    for (const subject of ['x', 'x', 'y', 'x', 'x']) b.offer(subject);
    const lease = b.take(10, 3)!;
    expect(places(lease)).toEqual([0, 1, 3, 2]);
    expect(b.take(10, 3)).toBeUndefined();
    b.apply(b.lanes.commit(lease, (i) => i.place.offset <= 1n));
    expect([b.next(), b.take()]).toEqual([2n, undefined]);
    b.lanes.release(lease);
    const again = b.take(10, 10)!;
    expect(places(again)).toEqual([3, 4, 2]);
    b.settle(again, OK, 1);
    expect(places(b.take(10, 10))).toEqual([4, 2]);
    expect(b.lanes.counts().waiting).toBe(2);
  });

  it('leases that run out make no target look down and leave the window as it is', () => {
    const b = new Bench({ probes: false });
    for (let i = 0; i < 100; i++) b.offer(`s${i}`);
    const leases = Array.from({ length: 64 }, () => b.take()!);
    expect(b.take()).toBeUndefined();
    for (const lease of leases) b.settle(lease, { kind: 'failed', reason: 'lease_expired' });
    expect([b.lanes.status, b.lanes.counts().window]).toEqual(['active', 64]);
  });

  it('the window grows with each full one of successes and halves when the target is overloaded, at most once a second', () => {
    const b = new Bench();
    let n = 0;
    const full = (outcome: Outcome): number => {
      while (b.lanes.room > 0 && n % 100 !== 99) b.offer(`s${n++}`);
      n++;
      const flights = [];
      for (let a = b.take(); a !== undefined; a = b.take()) flights.push(a);
      for (const flight of flights) b.settle(flight, outcome);
      return flights.length;
    };
    expect([full(OK), full(OK), full(OK), full(OK), full(OK), full(OK)]).toEqual([4, 8, 16, 32, 64, 64]);
    const hurt = b.take()!;
    const hurt2 = b.take()!;
    b.settle(hurt, { kind: 'failed', status: 503, reason: 'status' });
    b.settle(hurt2, { kind: 'failed', reason: 'timeout' });
    expect(b.lanes.counts().window).toBe(32);
    b.time += 1000;
    b.settle(b.take()!, E500);
    expect(b.lanes.counts().window).toBe(16);
  });

  it('Retry-After pauses the whole subscription until then, an hour at most', () => {
    const b = new Bench();
    b.offer('x');
    b.offer('y');
    b.settle(b.take()!, { kind: 'failed', status: 503, reason: 'status', retryAfterMs: 7_000 });
    expect([b.take(), b.lanes.nextDueMs()]).toEqual([undefined, b.time + 7_000]);
    b.time += 7_000;
    b.settle(b.take()!, { kind: 'failed', status: 503, reason: 'status', retryAfterMs: 1e9 });
    expect(b.lanes.nextDueMs()).toBe(b.time + 3_600_000);
  });

  it('429 counts no try and parks nothing, however often it comes: the whole subscription waits, longer each time, as Retry-After says', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'y']) b.offer(subject);
    const busy = (retryAfterMs?: number): Outcome => ({
      ...{ kind: 'failed', status: 429, reason: 'status' },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    const waits: number[] = [];
    for (let n = 0; n < 9; n++) {
      const attempts = [b.take()!, b.take()].filter((a) => a !== undefined);
      for (const attempt of attempts) {
        expect([attempt.try, b.settle(attempt, busy()).results]).toEqual([1, []]);
      }
      waits.push(b.lanes.nextDueMs()! - b.time);
      b.time = b.lanes.nextDueMs()!;
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1_000));
    b.settle(b.take()!, busy(7_000));
    expect(b.lanes.nextDueMs()! - b.time).toBe(7_000);
    expect([b.lanes.status, b.lanes.counts(), b.rows.size]).toEqual([
      'active',
      expect.objectContaining({ parked: 0, waiting: 3 }),
      0,
    ]);
    b.time += 7_000;
    expect(b.run(() => OK).sort()).toEqual([0, 1, 2]);
  });

  it('429 to a redrive leaves the event to be tried again, without a try and without an end of the redrive', () => {
    const b = new Bench();
    b.offer('x');
    b.settle(b.take()!, REFUSED);
    b.lanes.redrive('a/0/0');
    const busy = { kind: 'failed', status: 429, reason: 'status' } as const;
    expect(b.settle(b.take()!, busy).results).toEqual([]);
    b.time += 1_000;
    const again = b.take()!;
    expect([places(again), again.try]).toEqual([[0], 2]);
    expect(b.settle(again, OK).results).toEqual(['delivered']);
  });

  it.each([401, 403, 404])(
    '%i to three subjects, and to nobody anything else, means that the target is down; nothing is parked',
    (status) => {
      const b = new Bench();
      const shut: Outcome = { kind: 'failed', status, reason: 'status' };
      for (const subject of ['x', 'y', 'z', 'w', 'v']) b.offer(subject);
      const flights = [b.take()!, b.take()!, b.take()!, b.take()!];
      expect(b.settle(flights[0]!, shut).results).toEqual(['failed']);
      expect(b.settle(flights[1]!, shut).alarms).toEqual([]);
      expect(b.settle(flights[2]!, shut).alarms).toEqual([{ kind: 'target_down', cause: 'status' }]);
      b.settle(flights[3]!, shut);
      expect([b.lanes.status, b.lanes.counts().parked, b.lanes.counts().dead]).toEqual(['waiting', 0, 0]);
      for (let n = 0; n < 30; n++) {
        b.time = b.lanes.nextDueMs()!;
        b.settle(b.take()!, shut);
      }
      expect([b.lanes.status, b.lanes.counts().parked]).toEqual(['waiting', 0]);
      b.time = b.lanes.nextDueMs()!;
      expect(b.run(() => OK).sort()).toEqual([0, 1, 2, 3, 4]);
    },
  );

  it('events that alone are answered 404, while others are delivered, are parked after their tries', () => {
    const b = new Bench();
    const poison = new Set(['p', 'q', 'r']);
    for (const subject of poison) b.offer(subject);
    for (let n = 0; n < 60 && b.lanes.counts().parked < 3; n++) {
      b.offer(`good${n}`);
      b.time += 60_000;
      for (let a = b.take(); a !== undefined; a = b.take())
        b.settle(a, poison.has(a.items[0]!.subject) ? { kind: 'failed', status: 404, reason: 'status' } : OK);
    }
    expect([...b.lanes.parked()].map(({ subject }) => subject).sort()).toEqual([...poison]);
  });

  it('410 disables: nothing more starts, and nothing is lost', () => {
    const b = new Bench();
    b.offer('x');
    expect(b.settle(b.take()!, { kind: 'gone', status: 410, reason: 'status' })).toMatchObject({ disable: true });
    expect([b.lanes.paused, b.take(), b.next()]).toEqual([true, undefined, 0n]);
    b.lanes.resume();
    expect(b.run(() => OK)).toEqual([0]);
  });

  it('a takeover counts the try that a retry row names as failed, and knows what rows speak for', () => {
    const b = new Bench();
    for (const subject of ['x', 'y', 'y', 'x']) b.offer(subject);
    b.settle(b.take()!, E500);
    b.settle(b.take()!, REFUSED);
    b.time += 5_000;
    b.take();
    const after = new Bench({}, [...b.rows.values()]);
    after.time = b.time;
    for (const subject of ['x', 'y', 'y', 'x']) after.offer(subject);
    expect(after.run(() => OK)).toEqual([]);
    after.time += 25_000;
    const third = after.take()!;
    expect([places(third), third.try, third.items[0]!.event]).toEqual([[0], 3, undefined]);
    const last = new Bench({}, [...after.rows.values()]);
    last.flush();
    expect([...last.lanes.parked()].map((p) => [p.position, p.tries, p.held])).toEqual([
      ['a/0/1', 1, 1],
      ['a/0/0', 3, 0],
    ]);
  });

  it('what a person seeks back to is delivered in front of what rows of its lane speak for', () => {
    const b = new Bench({}, [
      { kind: 'held', position: 'a/0/7', lane: 'a\nx', subject: 'x' },
      {
        kind: 'parked',
        position: 'a/0/5',
        lane: 'a\nx',
        subject: 'x',
        cause: 'status',
        tries: 1,
        step: 0,
        firstAt: '2026-01-01T00:00:00Z',
        lastAt: '2026-01-01T00:00:00Z',
        since: '2026-01-01T00:00:00Z',
        nextAt: '2026-02-01T00:00:00Z',
      },
    ]);
    for (const offset of [3n, 5n, 7n, 9n]) b.offer('x', offset);
    expect(b.run(() => OK)).toEqual([3]);
    expect([b.rows.has('s/h/a/0/9'), b.next()]).toEqual([true, 10n]);
    b.lanes.redrive('a/0/5');
    expect(b.run(() => OK)).toEqual([5, 7, 9]);
    expect(b.rows.size).toBe(0);
  });

  it('when the filter changes, rows speak for everything that waits, and the cursor passes it; it comes in order, also after a takeover', () => {
    for (const ordered of [false, true]) {
      const b = new Bench();
      for (let i = 0; i < 6; i++) b.offer(`s${i % 2}`, BigInt(i), ordered);
      const flying = b.take()!;
      expect(b.next()).toBe(0n);
      const effects = b.lanes.holdAll();
      expect([b.next(), effects.changes.length]).toEqual([0n, 6]);
      b.apply(effects);
      expect([b.next(), b.lanes.holdAll().changes]).toEqual([6n, []]);
      const after = new Bench({}, [...b.rows.values()]);
      after.lanes.restore('a', b.lanes.cursor('a'));
      after.offer('s0', 6n, ordered);
      expect(after.run(() => OK).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
      expect([after.rows.size, after.next()]).toEqual([0, 7n]);
      b.settle(flying, OK);
      expect(b.run(() => OK).sort()).toEqual([1, 2, 3, 4, 5]);
      expect(b.rows.size).toBe(0);
    }
  });

  it('after a takeover the cursor passes what is held because the filter has changed only when that is durable, in a stream-ordered lane too', () => {
    const b = new Bench();
    b.offer('s0', 0n, true);
    b.settle(b.take()!, E500);
    b.time = b.lanes.nextDueMs()!;
    b.take();
    const after = new Bench({}, [...b.rows.values()]);
    after.lanes.restore('a', b.lanes.cursor('a'));
    const effects = after.lanes.holdAll();
    after.offer('s0', 0n, true);
    expect([effects.changes.length, after.next()]).toEqual([1, 0n]);
    after.apply(effects);
    expect(after.next()).toBe(1n);
  });

  it('what may not be read any more ends as withdrawn, a letter that a person redrives stays; of the target that says nothing', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'y']) b.offer(subject);
    const gone: Outcome = { kind: 'withdrawn', reason: 'not_readable' };
    b.settle(b.take()!, REFUSED);
    b.settle(b.take()!, UNREACHABLE);
    b.time = b.lanes.nextDueMs()!;
    b.lanes.redrive('a/0/0');
    const results = [b.take()!].flatMap((a) => b.settle(a, gone).results);
    expect([results, b.lanes.status]).toEqual([['withdrawn'], 'waiting']);
    expect(b.settle(b.take()!, gone).results).toEqual(['failed']);
    expect([...b.lanes.parked()]).toMatchObject([{ position: 'a/0/0', cause: 'not_readable', held: 1 }]);
    expect(b.lanes.status).toBe('waiting');
  });

  it('the cursor row holds the lowest unfinished offset and the finished ones above it, which a takeover does not repeat', () => {
    const b = new Bench();
    for (let i = 0; i < 4; i++) b.offer(`s${i}`);
    b.run((offset) => (offset === 1 ? E500 : OK));
    b.lanes.scanned('a', 0, 9n);
    const row = b.lanes.cursor('a');
    expect(row).toEqual({ topicId: 't', next: [1n], done: { 0: [2n, 3n] }, start: [0n] });
    const after = new Bench();
    after.lanes.restore('a', row);
    expect(after.lanes.cursor('a')).toEqual(row);
    for (let i = 1; i < 6; i++) after.offer(`s${i}`, BigInt(i));
    expect(after.run(() => OK)).toEqual([1, 4, 5]);
    expect(after.lanes.cursor('a')).toMatchObject({ next: [6n], done: {} });
  });

  it('a slow event does not stop the others: before the cursor row is full, a row speaks for it', () => {
    const b = new Bench({ maxDone: 100 });
    b.offer('slow');
    const slow = b.take()!;
    for (let i = 1; i < 1000; i++) {
      expect(b.lanes.roomOf('a')).toBeGreaterThan(0);
      b.offer(`s${i}`);
      b.run(() => OK);
      expect(Object.values(b.lanes.cursor('a').done).flat().length).toBeLessThanOrEqual(100);
    }
    expect([b.next(), [...b.rows.keys()]]).toEqual([1000n, ['s/h/a/0/0']]);
    b.settle(slow, OK);
    expect(b.rows.size).toBe(0);
  });

  it('events behind a failing one do not fill the memory: rows speak for them', () => {
    const b = new Bench({ maxItems: 20 });
    b.offer('x');
    b.settle(b.take()!, E500);
    for (let i = 0; i < 100; i++) {
      expect(b.lanes.room).toBeGreaterThan(0);
      b.offer('x');
    }
    b.offer('y');
    expect(b.run(() => OK)).toEqual([101]);
    b.time += 5_000;
    expect(b.run(() => OK)).toEqual(Array.from({ length: 101 }, (_, i) => i));
    expect([b.rows.size, b.next()]).toEqual([0, 102n]);
  });

  it('a stream-ordered lane that stands leaves half of the memory to other streams', () => {
    const b = new Bench({ maxItems: 20 });
    b.offer('x', 0n, true);
    b.settle(b.take()!, E500);
    for (let i = 1n; b.lanes.roomOf('a') > 0; i++) b.offer('x', i, true);
    expect(b.lanes.counts().waiting).toBe(10);
    expect(b.lanes.roomOf('b')).toBe(10);
  });

  it('hold 100,000 events as places: under 100 bytes each', () => {
    const lanes = new Lanes<string>({
      subscription: 's',
      now: () => 0,
      random: () => 0.5,
      policy: { maxHeldOfLane: 1e6, maxHeld: 1e6 },
    });
    const offer = (n: number): void =>
      lanes.offer({
        place: { stream: 'a', partition: 0, offset: BigInt(n) },
        lane: 'a\nx',
        subject: 'x',
        bytes: 1,
        event: 'x'.repeat(500) + n,
      });
    offer(0);
    lanes.durable(lanes.settle(lanes.take()!, REFUSED));
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 1; n <= 100_000; n++) {
      offer(n);
      lanes.durable(lanes.pending()!);
    }
    expect(lanes.counts()).toMatchObject({ held: 100_000, waiting: 0 });
    collect();
    expect((process.memoryUsage().heapUsed - before) / 100_000).toBeLessThan(100);
  });
});
