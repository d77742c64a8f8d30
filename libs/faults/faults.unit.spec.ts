import { describe, expect, it } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  asFault,
  defineTexts,
  Fault,
  FAULTS,
  innermostMessage,
  isFault,
  startDetail,
  startLine,
  UNIT_FAULTS,
  UnitFault,
  type UnitFaultCode,
} from './index.js';

describe('the table of errors', () => {
  it('has snake_case codes, texts and one next step in both languages', () => {
    for (const [code, f] of Object.entries({ ...FAULTS, ...UNIT_FAULTS })) {
      expect(code).toMatch(/^[a-z][a-z0-9_]*$/);
      for (const text of [f.title.id, f.title.en, f.hint.id, f.hint.en]) expect(text.length).toBeGreaterThan(3);
    }
  });

  it('has the codes that a program of a unit sees too, each once; a file of a fault class has no texts of its own', () => {
    const codes = [...Object.keys(FAULTS), ...Object.keys(UNIT_FAULTS)];
    expect(codes).toEqual([...new Set(codes)]);
    const root = join(import.meta.dirname, '../..');
    const files = globSync('{libs,apps}/**/*fault*.ts', { cwd: root, exclude: (f) => /\.spec\.ts$/.test(f) });
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((file) => /\b(id|en): ['"`]/.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });

  it('makes of a row one line: code, title, detail and next step, Indonesian first', () => {
    for (const code of Object.keys(UNIT_FAULTS) as UnitFaultCode[]) {
      const { title, hint } = UNIT_FAULTS[code];
      const fault = new UnitFault('PartFault', code, '/var/x.', 'why');
      const [id, en] = [`${title.id}: /var/x. ${hint.id}`, `${title.en}: /var/x. ${hint.en}`];
      expect([fault.message, fault.name, fault.cause]).toEqual([`${code}: ${id} / ${en}`, 'PartFault', 'why']);
      expect(fault.message).not.toContain('\n');
      expect(new UnitFault('PartFault', code).message).toBe(
        `${code}: ${title.id}. ${hint.id} / ${title.en}. ${hint.en}`,
      );
    }
    expect(new UnitFault('PartFault', 'outbox_full').retryable).toBe(true);
    expect(new UnitFault('PartFault', 'outbox_corrupt').retryable).toBe(false);
  });

  it('says why a start failed in one line with a next step, in both languages, for every code', () => {
    for (const code of Object.keys(FAULTS)) {
      const [id, en] = [startLine(code, 'here\nand there.', 'id'), startLine(code, 'here\nand there.', 'en')];
      for (const line of [id, en]) expect(line).toMatch(/^[^\n]+: here and there\. [^\n]+$/);
      expect(id).not.toBe(en);
    }
    expect(startLine('log_unavailable', '', 'en', 'kafka')).toMatch(
      /^The event log cannot be reached\. See that Kafka is up/,
    );
    expect(startLine('state_unavailable', '', 'en', 'kafka')).toMatch(/ See that Redis is up/);
    for (const engine of ['embedded', undefined])
      for (const code of ['log_unavailable', 'state_unavailable'])
        for (const language of ['id', 'en'] as const) {
          const line = startLine(code, '', language, engine);
          expect(line).toMatch(/SIMPUL_DATA/);
          expect(line).not.toMatch(/Kafka|Redis/i);
        }
    expect(startLine('unheard_of', 'x', 'id')).toBe('unheard_of: x');
  });

  it('shows at start each problem with its pointer in the language of the person, and a detail that says more', () => {
    const texts = defineTexts({ unknown: { id: 'tidak dikenal', en: 'not known' } });
    const problems = [
      { pointer: 'SIMPUL_A', reason: texts.unknown() },
      { pointer: '', reason: texts.unknown() },
    ];
    const repeated = new Fault('invalid_settings', { detail: 'SIMPUL_A: not known; not known', problems });
    expect(startDetail(repeated, 'id')).toBe('SIMPUL_A: tidak dikenal; tidak dikenal');
    expect(startDetail(repeated, 'en')).toBe('SIMPUL_A: not known; not known');
    expect(startDetail(new Fault('invalid_schema', { detail: 'view x', problems }), 'id')).toBe(
      'view x; SIMPUL_A: tidak dikenal; tidak dikenal',
    );
    expect(startDetail(new Fault('data_locked', { detail: 'pid 7' }), 'id')).toBe('pid 7');
    expect(startDetail(new Fault('internal'), 'en')).toBe('');
  });

  it('classifies any thrown value and never throws', () => {
    for (const e of [undefined, null, 1, 'x', {}, new Error('x'), Object.create(null)])
      expect(asFault(e).code).toBe('internal');
    const f = new Fault('not_found');
    expect(asFault(f)).toBe(f);
    expect(isFault({ code: 'not_found' })).toBe(false);
  });

  it('finds the innermost cause of a nested error', () => {
    const e = new AggregateError(
      [new Error('outer', { cause: new Error('Broker requires TLS') })],
      'Cannot connect to any broker',
    );
    expect(innermostMessage(e)).toBe('Broker requires TLS');
    expect(innermostMessage('text')).toBe('text');
  });
});
