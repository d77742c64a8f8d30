import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Probe } from './probe.js';

describe('a probe', () => {
  let answers: ((value: string) => void)[];
  let probe: Probe<string>;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    answers = [];
    probe = new Probe(() => new Promise((resolve) => answers.push(resolve)), 'late');
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** What now() answers when the port keeps silent for half a second. */
  const silent = async (): Promise<string> => {
    const answer = probe.now();
    jest.advanceTimersByTime(500);
    return answer;
  };

  it('answers what the port answers in time', async () => {
    const answer = probe.now();
    answers[0]!('ok');
    expect(await answer).toBe('ok');
  });

  it('answers that it is late before the port has answered once', async () => {
    expect(await silent()).toBe('late');
  });

  it('asks one question at a time, and answers the last answer until the question has waited 1.5 s', async () => {
    const first = probe.now();
    answers[0]!('ok');
    await first;
    expect([await silent(), await silent(), await silent(), await silent()]).toEqual(['ok', 'ok', 'late', 'late']);
    expect(answers).toHaveLength(2);
    answers[1]!('ok again');
    const next = probe.now();
    answers[2]?.('new');
    expect(['ok again', 'new']).toContain(await next);
  });
});
