import { pseudonymOf } from '#event';
import type { FaultCode, Problem } from '#faults';
import type { EventType } from '#registry';
import { isPlainText } from './attributes.js';

export type SubjectMade =
  | { readonly ok: true; readonly subject: string }
  | { readonly ok: false; readonly code: FaultCode; readonly problem: Problem };

/** The subject from the fields that the type declares; a keyed hash of them for pseudonym types. `data` is valid. */
export function subjectOf(
  type: Pick<EventType, 'subject' | 'subjectForm'>,
  data: Readonly<Record<string, unknown>>,
  rules: { readonly pseudonymKey: Uint8Array; readonly limits: { readonly subjectBytes: number } },
): SubjectMade {
  const parts: string[] = [];
  for (const name of type.subject) {
    const value = data[name];
    const text = typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
    const pointer = `/data/${name}`;
    if (text === '')
      return { ok: false, code: 'schema_mismatch', problem: { pointer, reason: 'needed for the subject' } };
    if (!isPlainText(text)) {
      return {
        ok: false,
        code: 'forbidden_character',
        problem: { pointer, reason: 'holds a character that may not stand in a subject' },
      };
    }
    // Else two different cases could share one subject.
    if (type.subject.length > 1 && text.includes(':')) {
      return {
        ok: false,
        code: 'forbidden_character',
        problem: { pointer, reason: 'a part of a subject may not hold a colon' },
      };
    }
    parts.push(text);
  }
  const clear = parts.join(':');
  if (Buffer.byteLength(clear) > rules.limits.subjectBytes) {
    const problem = {
      pointer: `/data/${type.subject[0] ?? ''}`,
      reason: 'too long',
      expected: `at most ${rules.limits.subjectBytes} bytes`,
    };
    return { ok: false, code: 'subject_too_long', problem };
  }
  return { ok: true, subject: type.subjectForm === 'pseudonym' ? pseudonymOf(clear, rules.pseudonymKey) : clear };
}

/** How the subject of a type is made, in words; never its value. */
export function subjectRule(type: EventType): string {
  const fields = type.subject.join(':');
  return type.subjectForm === 'pseudonym'
    ? `left out: the hub makes a pseudonym of ${fields}`
    : `${fields}, or left out`;
}
