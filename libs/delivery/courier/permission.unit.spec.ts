import { describe, expect, it } from '@jest/globals';
import type { Handshake } from '#webhooks';
import { Permission } from './permission.js';

class Asked {
  time = 0;
  asked = 0;
  answer: Handshake = { kind: 'allowed' };
  readonly permission = new Permission({
    ask: () => {
      this.asked++;
      return Promise.resolve(this.answer);
    },
    now: () => this.time,
    random: () => 0.5,
    wake: () => undefined,
  });

  async mayStart(): Promise<boolean> {
    this.permission.mayStart();
    await Promise.resolve();
    await Promise.resolve();
    return this.permission.mayStart();
  }
}

describe('the permission of a receiver', () => {
  it('is asked for once, and until it is there nothing may be sent', async () => {
    const { permission, ...of } = new Asked();
    expect(permission.why).toBe('handshake');
    expect([permission.mayStart(), permission.mayStart(), permission.lookAgainAt(0)]).toEqual([
      false,
      false,
      undefined,
    ]);
    await new Promise(setImmediate);
    expect([permission.mayStart(), permission.why, permission.lookAgainAt(undefined)]).toEqual([
      true,
      undefined,
      undefined,
    ]);
    expect(of).toBeDefined();
  });

  it('is asked for again, ever later, while the receiver says no or nothing', async () => {
    const stage = new Asked();
    stage.answer = { kind: 'not_supported', status: 405 };
    const waits: number[] = [];
    for (let n = 0; n < 12; n++) {
      expect(await stage.mayStart()).toBe(false);
      const at = stage.permission.lookAgainAt(undefined)!;
      waits.push(at - stage.time);
      stage.time = at;
    }
    expect([stage.asked, stage.permission.why]).toEqual([12, 'handshake not_supported 405']);
    expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(waits.at(-1)).toBe(600_000);
    stage.answer = { kind: 'unclear', outcome: { kind: 'unreachable', reason: 'connect', ms: 1 } };
    await stage.mayStart();
    expect(stage.permission.why).toBe('handshake unclear connect');
  });

  it('with a rate spaces requests, so that there are no more a minute', async () => {
    const stage = new Asked();
    stage.answer = { kind: 'allowed', perMinute: 30 };
    expect(await stage.mayStart()).toBe(true);
    const at: number[] = [];
    for (; stage.time < 60_000; stage.time += 100)
      if (stage.permission.mayStart()) {
        stage.permission.started();
        at.push(stage.time);
      }
    expect(at).toHaveLength(30);
    expect(at.slice(0, 3)).toEqual([0, 2_000, 4_000]);
    expect(stage.permission.lookAgainAt(0)).toBe(60_000);
  });
});
