import { Worker } from 'node:worker_threads';
import { describe, expect, it, jest } from '@jest/globals';
import { Coalescer, Mutex, jittered, pause, withDeadline } from './index.js';

describe('pause', () => {
  it('of what is left of a deadline that has passed is no warning of Node', async () => {
    const timer = jest.spyOn(globalThis, 'setTimeout');
    await pause(-16);
    expect(timer.mock.calls.map(([, ms]) => ms)).toEqual([0]);
    timer.mockRestore();
  });

  it('resolves at once when the signal aborts, and leaves no listener', async () => {
    const stop = new AbortController();
    const remove = jest.spyOn(stop.signal, 'removeEventListener');
    const waiting = pause(60_000, stop.signal);
    stop.abort();
    await waiting;
    expect(remove).toHaveBeenCalledTimes(1);
  });

  it('resolves at once on a signal that has aborted already', async () => {
    await expect(pause(60_000, AbortSignal.abort())).resolves.toBeUndefined();
  });
});

describe('jittered', () => {
  it('spreads a time between half of it and one and a half', () => {
    const times = Array.from({ length: 1_000 }, () => jittered(200));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...times)).toBeLessThan(300);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(150);
  });
});

describe('withDeadline', () => {
  it('answers the result of work that ends before the deadline, and passes its rejection on', async () => {
    await expect(withDeadline(Promise.resolve(1), 60_000, () => 2)).resolves.toBe(1);
    await expect(withDeadline(Promise.reject(new Error('no')), 60_000, () => 2)).rejects.toThrow('no');
  });

  it('answers late() when the deadline passes first, or throws the error of late()', async () => {
    const never = new Promise<number>(() => undefined);
    await expect(withDeadline(never, 1, () => 2)).resolves.toBe(2);
    const fail = (): never => {
      throw new Error('late');
    };
    await expect(withDeadline(never, 1, fail)).rejects.toThrow('late');
  });

  it('prefers an answer that arrived in time to the deadline, when the event loop comes back late', async () => {
    const worker = new Worker("require('node:worker_threads').parentPort.postMessage('answer')", { eval: true });
    const ended = new Promise((resolve) => worker.once('message', resolve));
    const answer = withDeadline(ended, 1_000, () => 'late');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
    expect(await answer).toBe('answer');
  });
});

describe('Mutex', () => {
  it('runs one task at a time in the order of the calls, also after a failure', async () => {
    const mutex = new Mutex();
    const order: string[] = [];
    const first = mutex.run(async () => {
      await new Promise(setImmediate);
      order.push('first');
      throw new Error('failed');
    });
    const second = mutex.run(() => Promise.resolve(order.push('second')));
    await expect(first).rejects.toThrow('failed');
    await second;
    expect(order).toEqual(['first', 'second']);
  });
});

describe('Coalescer', () => {
  it('runs one batch at a time and puts inputs that arrive meanwhile into the next batch, in order', async () => {
    const batches: number[][] = [];
    const gates: (() => void)[] = [];
    const coalescer = new Coalescer<number, number>({
      run: async (batch) => {
        batches.push([...batch]);
        await new Promise<void>((open) => gates.push(open));
        return batch.map((n) => n * 10);
      },
    });
    const first = coalescer.add(1);
    while (gates.length < 1) await new Promise(setImmediate);
    const rest = Promise.all([coalescer.add(2), coalescer.add(3)]);
    await new Promise(setImmediate);
    expect(batches).toEqual([[1]]);
    gates[0]!();
    await expect(first).resolves.toBe(10);
    while (gates.length < 2) await new Promise(setImmediate);
    gates[1]!();
    await expect(rest).resolves.toEqual([20, 30]);
    expect(batches).toEqual([[1], [2, 3]]);
    await coalescer.idle();
  });

  it('cuts a batch at the size limit, but runs a larger single input in a batch of its own', async () => {
    const batches: number[][] = [];
    const coalescer = new Coalescer<number, number>({
      max: 5,
      sizeOf: (n) => n,
      run: (batch) => {
        batches.push([...batch]);
        return Promise.resolve(batch);
      },
    });
    await Promise.all([9, 3, 2, 1].map((n) => coalescer.add(n)));
    expect(batches).toEqual([[9], [3, 2], [1]]);
  });

  it('rejects every caller of a failed batch, and runs the next batch', async () => {
    let runs = 0;
    const coalescer = new Coalescer<number, number>({
      run: (batch) => (runs++ === 0 ? Promise.reject(new Error('down')) : Promise.resolve(batch)),
    });
    await expect(Promise.all([coalescer.add(1), coalescer.add(2)])).rejects.toThrow('down');
    await expect(coalescer.add(3)).resolves.toBe(3);
  });
});
