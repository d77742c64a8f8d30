import { expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { Metrics } from '#telemetry';
import { Concerns } from './concerns.js';
import { tableReport } from './table-report.js';

it('a control record that cannot be read is counted as an alarm and is one line with topic, key and offset, without its content', async () => {
  const lines: unknown[][] = [];
  const metrics = new Metrics('uji');
  const report = tableReport({ error: (...line: unknown[]) => lines.push(line) } as never, metrics, new Concerns());
  const cause = new SyntaxError('Unexpected token, "secret" is not valid JSON');
  report.unreadable?.({ topic: '_simpul.keys', key: '9f3a', offset: 41n, cause });
  expect(lines).toEqual([
    [
      { code: 'control_record_unreadable', topic: '_simpul.keys', row: '9f3a', offset: '41', error: 'SyntaxError' },
      'control record cannot be read, its key has no row',
    ],
  ]);
  expect(await metrics.registry.metrics()).toMatch(/simpul_alarms_total\{[^}]*control_record_unreadable[^}]*\} 1/);
});

it('a control topic that cannot be read on is one alarm, one line and a concern, until it is read on again', async () => {
  const lines: unknown[][] = [];
  const metrics = new Metrics('uji');
  const concerns = new Concerns();
  const line = (...words: unknown[]) => void lines.push(words);
  const report = tableReport({ error: line, info: line } as never, metrics, concerns);
  const at = { topic: '_simpul.keys', partition: 0 };
  const cause = new Fault('corrupt_record', { detail: 'batch at offset 7' });
  for (let i = 0; i < 3; i++) report.stuck?.({ ...at, cause });
  expect(lines).toEqual([
    [
      { code: 'control_topic_unreadable', ...at, reason: 'corrupt_record', detail: 'batch at offset 7' },
      'control topic cannot be read on, retried',
    ],
  ]);
  expect(concerns.list()).toMatchObject([{ subject: '_simpul.keys', actual: expect.stringContaining('offset 7') }]);
  expect(await metrics.registry.metrics()).toMatch(/simpul_alarms_total\{[^}]*control_topic_unreadable[^}]*\} 1/);
  report.followed?.(at);
  expect([concerns.list(), lines.length]).toEqual([[], 2]);
});
