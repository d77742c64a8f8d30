import { pseudonymOf, streamPseudonymKey, type Source } from '#event';
import type { FaultCode, Problem, Text } from '#faults';
import { TEST_EVENTS } from '#log';
import type { Catalogue, EventType } from '#registry';
import { isPlainText } from './attributes.js';
import { texts } from './texts.js';

export type SubjectMade =
  | { readonly ok: true; readonly subject: string }
  | { readonly ok: false; readonly code: FaultCode; readonly problem: Problem };

export interface SubjectRules {
  /** Deployment key of pseudonym subjects (R11). */
  readonly pseudonymKey: Uint8Array;
  readonly catalogue: Pick<Catalogue, 'stream'>;
  readonly limits: { readonly subjectBytes: number };
}

/**
 * The subject of an event, from the fields that its type names; of pseudonym types a keyed hash of it (R11). `data` must be valid. `test`: the source of a test
 * event. Its pseudonyms are those of tests of this unit in this stream: whoever may publish a type could otherwise learn those of real events, or of the test
 * events of others, with nothing on record (R12.7).
 */
export function eventSubject(
  type: Pick<EventType, 'subject' | 'subjectForm' | 'stream'>,
  data: Readonly<Record<string, unknown>>,
  rules: SubjectRules,
  test?: Source,
): SubjectMade {
  const parts: string[] = [];
  for (const name of type.subject) {
    const value = data[name];
    const text = typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
    const pointer = `/data/${name}`;
    if (text === '')
      return { ok: false, code: 'schema_mismatch', problem: { pointer, reason: texts.needed_for_subject() } };
    if (!isPlainText(text)) {
      return {
        ok: false,
        code: 'forbidden_character',
        problem: { pointer, reason: texts.character_refused_in_subject() },
      };
    }
    // `a:b` + `c` and `a` + `b:c` would be one subject.
    if (type.subject.length > 1 && text.includes(':')) {
      return {
        ok: false,
        code: 'forbidden_character',
        problem: { pointer, reason: texts.colon_in_subject_part() },
      };
    }
    parts.push(text);
  }
  const clear = parts.join(':');
  if (Buffer.byteLength(clear) > rules.limits.subjectBytes) {
    const problem = {
      pointer: `/data/${type.subject[0] ?? ''}`,
      reason: texts.too_long(),
      expected: texts.at_most_bytes({ most: rules.limits.subjectBytes }),
    };
    return { ok: false, code: 'subject_too_long', problem };
  }
  return {
    ok: true,
    subject:
      type.subjectForm === 'pseudonym'
        ? test === undefined
          ? pseudonymOf(clear, keyOf(type.stream, rules))
          : pseudonymOf(`${ownerOf(test)}\n${type.stream}\n${clear}`, keyOfTests(rules))
        : clear,
  };
}

/** Keys of streams by deployment key: deriving one costs as much as a pseudonym. */
const derived = new WeakMap<Uint8Array, Map<string, Buffer>>();

function keyOf(stream: string, { pseudonymKey, catalogue }: SubjectRules): Uint8Array {
  return catalogue.stream(stream)?.ownPseudonyms === true ? derivedKey(stream, pseudonymKey) : pseudonymKey;
}

const keyOfTests = ({ pseudonymKey }: SubjectRules): Uint8Array => derivedKey(TEST_EVENTS.name, pseudonymKey);

const ownerOf = (source: Source): string =>
  source.kind === 'unit' ? source.unit : source.kind === 'party' ? source.party : 'hub';

function derivedKey(stream: string, pseudonymKey: Uint8Array): Uint8Array {
  let keys = derived.get(pseudonymKey);
  if (keys === undefined) derived.set(pseudonymKey, (keys = new Map<string, Buffer>()));
  let key = keys.get(stream);
  if (key === undefined) keys.set(stream, (key = streamPseudonymKey(pseudonymKey, stream)));
  return key;
}

/** How the subject of a type is made, in words; never its value. */
export function subjectRule(type: EventType): Text {
  const fields = type.subject.join(':');
  return type.subjectForm === 'pseudonym'
    ? texts.pseudonym_left_out({ fields })
    : texts.value_or_left_out({ value: fields });
}
