import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Metrics } from '#telemetry';
import { Alarms } from './alarms.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

it('alarms of one code that come together are one line each, which shows the first 20; each is counted at once, and none is lost at the end', async () => {
  const lines: object[] = [];
  const metrics = new Metrics('t');
  const logger = { error: (facts: object) => void lines.push(facts) };
  const alarms = new Alarms({ metrics, logger } as unknown as ConstructorParameters<typeof Alarms>[0]);
  for (let partition = 0; partition < 53; partition++) {
    alarms.together('log_mismatch', { storage: 'a~1' }, { partition });
    alarms.together('log_mismatch', { storage: 'b~1' }, { partition });
  }
  expect(lines).toEqual([]);
  expect(await metrics.text()).toMatch(/simpul_alarms_total{code="log_mismatch"[^}]*} 106/);
  jest.advanceTimersByTime(1_000);
  const partitions = Array.from({ length: 20 }, (_, partition) => ({ partition }));
  expect(lines).toEqual(['a~1', 'b~1'].map((storage) => ({ code: 'log_mismatch', storage, count: 53, partitions })));
  alarms.together('log_mismatch', { storage: 'a~1' }, { partition: 60 });
  alarms.onApplicationShutdown();
  expect(lines.at(-1)).toEqual({ code: 'log_mismatch', storage: 'a~1', count: 1, partitions: [{ partition: 60 }] });
  expect(lines).toHaveLength(3);
});
