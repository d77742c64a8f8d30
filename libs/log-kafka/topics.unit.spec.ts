import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ClusterClient } from './platformatic/index.js';
import { Topics } from './topics.js';
import type { TopicShape } from './types.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `topik-${i}`);

describe('the metadata of topics', () => {
  /** The topics of each request. */
  let asked: string[][];
  let existing: Set<string>;
  let configs: () => Promise<Map<string, string>>;
  let topics: Topics;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    asked = [];
    existing = new Set(names(150));
    const shapes = (wanted: readonly string[]): Promise<Map<string, TopicShape>> => {
      asked.push([...wanted]);
      if (wanted.some((name) => !existing.has(name))) return Promise.reject(new Error('Unknown topic'));
      const shape = { leaders: [1], epochs: [3], behind: 0, replicas: 1 };
      return Promise.resolve(new Map(wanted.map((name) => [name, { ...shape, id: `id of ${name}` }])));
    };
    configs = () => new Promise(() => undefined);
    topics = new Topics({ shapes, configs: () => configs() } as unknown as ClusterClient);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('is asked for in one request for all topics that are needed at once, and for a topic once', async () => {
    const wanted = [...names(100), ...names(100)];
    const shapes = await Promise.all(wanted.map((name) => topics.shape(name)));
    expect(shapes.map((s) => s.id)).toEqual(wanted.map((name) => `id of ${name}`));
    expect(asked.map((a) => a.length)).toEqual([100]);
  });

  it('of all topics in use is read again with one request every few seconds, however many are used one after the other', async () => {
    for (const name of names(100)) await topics.shape(name);
    asked.length = 0;
    for (let second = 0; second < 20; second++) {
      jest.advanceTimersByTime(1_000);
      for (const name of names(100)) await topics.shape(name);
    }
    expect(asked.length).toBeLessThanOrEqual(8);
    expect(asked.every((a) => a.length === 100)).toBe(true);
    // one that nobody uses is not asked for
    asked.length = 0;
    for (let second = 0; second < 20; second++) {
      jest.advanceTimersByTime(1_000);
      await topics.shape('topik-7');
    }
    expect(asked.at(-1)).toEqual(['topik-7']);
  });

  it('of a topic that was deleted is unknown_topic, and keeps no other topic from its answer', async () => {
    for (const name of names(10)) await topics.shape(name);
    existing.delete('topik-3');
    jest.advanceTimersByTime(6_000);
    const answers = await Promise.allSettled(names(10).map((name) => topics.shape(name)));
    expect(answers.map((a) => (a.status === 'fulfilled' ? a.value.id : (a.reason as { code: string }).code))).toEqual(
      names(10).map((name) => (name === 'topik-3' ? 'unknown_topic' : `id of ${name}`)),
    );
  });

  it('tells max.message.bytes as Kafka has it now, and as last known when Kafka does not tell it within a second: a refusal waits for it', async () => {
    configs = () => Promise.resolve(new Map([['topik-1', '2000']]));
    expect(await topics.freshLimit('topik-1')).toBe(2_000);
    let asked = 0;
    configs = () => new Promise(() => asked++);
    expect(await topics.freshLimit('topik-1', 1_000)).toBe(2_000);
    expect(asked).toBe(0);
    const now = topics.freshLimit('topik-1');
    expect(asked).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(await now).toBe(2_000);
    configs = () => Promise.reject(new Error('no answer'));
    expect(await topics.freshLimit('topik-1')).toBe(2_000);
  });
});
