import { expect, it } from '@jest/globals';
import { Metrics } from '#telemetry';
import { tableReport } from './table-report.js';

it('a control record that cannot be read is counted as an alarm and is one line with topic, key and offset, without its content', async () => {
  const lines: unknown[][] = [];
  const metrics = new Metrics('uji');
  const report = tableReport({ error: (...line: unknown[]) => lines.push(line) } as never, metrics);
  const cause = new SyntaxError('Unexpected token, "secret" is not valid JSON');
  report.unreadable?.({ topic: '_simpul.keys', key: '9f3a', offset: 41n, cause });
  expect(lines).toEqual([
    [
      { code: 'control_record_unreadable', topic: '_simpul.keys', key: '9f3a', offset: '41', error: 'SyntaxError' },
      'control record cannot be read, its key has no row',
    ],
  ]);
  expect(await metrics.registry.metrics()).toMatch(/simpul_alarms_total\{[^}]*control_record_unreadable[^}]*\} 1/);
});
