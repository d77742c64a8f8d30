import { HUB_NAMES, OPEN_EXTENSIONS, SIGNATURE, TEST_EVENT, isTime, isTraceparent, isTypeName } from '#event';
import { verbatim, type FaultCode, type Problem, type Text } from '#faults';
import type { PublishLimits } from './limits.js';
import { texts } from './texts.js';

/** The attributes of an event as its publisher gave them. */
export interface Attributes {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | undefined;
  readonly time: string | undefined;
  readonly dataschema: string | undefined;
  readonly datacontenttype: string | undefined;
  readonly extensions: Record<string, string>;
}

export type AttributesRead =
  | { readonly ok: true; readonly attributes: Attributes }
  | { readonly ok: false; readonly code: FaultCode; readonly problems: readonly Problem[] };

/** The pointer at an attribute: `/id` in a body, `ce-id` in headers. */
export type PointAt = (name: string) => string;

const REQUIRED = ['specversion', 'id', 'source', 'type'] as const;
const KNOWN = new Set(['id', 'source', 'type', 'subject', 'time', 'dataschema', 'datacontenttype', 'specversion']);
/** Members of the body that are no attributes: the door reads them. */
const DATA = new Set(['data', 'data_base64']);
/** Extensions with a meaning in this hub. */
const AGREED = new Set([...OPEN_EXTENSIONS, SIGNATURE]);
const NAME = /^[a-z0-9]+$/;
// NUL and other controls, bidi embedding, override and isolate marks, and noncharacters (those beyond 16 bits end in FFFE or FFFF too).
const FORBIDDEN =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]|[\ud83f\ud87f\ud8bf\ud8ff\ud93f\ud97f\ud9bf\ud9ff\uda3f\uda7f\udabf\udaff\udb3f\udb7f\udbbf\udbff][\udffe\udfff]/;

/** True for names that the envelope knows: never text that a publisher made up. */
export function isAttribute(name: string): boolean {
  return KNOWN.has(name) || HUB_NAMES.has(name) || DATA.has(name) || AGREED.has(name);
}

/** True for text without control characters, bidi marks, noncharacters (as CloudEvents asks of an attribute) and lone surrogates. */
export function isPlainText(text: string): boolean {
  return !FORBIDDEN.test(text) && text.isWellFormed();
}

/** Reads every attribute of `given` (all members but the data). Pure. Answers all problems, not only the first. */
export function readAttributes(given: Record<string, unknown>, at: PointAt, limits: PublishLimits): AttributesRead {
  let code: FaultCode | undefined;
  const problems: Problem[] = [];
  const bad = (name: string, of: FaultCode, reason: Text, expected?: Text): void => {
    if (code === undefined || of === 'missing_attribute') code = of;
    problems.push({ pointer: at(name), reason, ...(expected === undefined ? {} : { expected }), code: of });
  };
  for (const name of REQUIRED) {
    const value = given[name];
    if (value === undefined || value === null || value === '')
      bad(name, 'missing_attribute', texts.missing(), EXPECTED[name]);
  }
  const extensions: Record<string, string> = {};
  let count = 0;
  for (const name in given) {
    const value = given[name];
    if (value === null || value === undefined || DATA.has(name)) continue;
    if (KNOWN.has(name)) {
      if (value === '' && (REQUIRED as readonly string[]).includes(name)) continue;
      if (typeof value !== 'string') bad(name, 'invalid_attribute', texts.not_text(), EXPECTED[name]);
      else if (!isPlainText(value)) bad(name, 'forbidden_character', texts.character_refused());
      else checkKnown(name, value, bad, limits);
    } else if (HUB_NAMES.has(name)) {
      bad(name, 'invalid_attribute', texts.set_by_hub(), texts.leave_out());
    } else {
      const text = extensionText(value);
      if (++count > limits.extensions) {
        if (count === limits.extensions + 1)
          bad('', 'invalid_attribute', texts.too_many_extensions(), texts.at_most({ most: limits.extensions }));
      } else if (!NAME.test(name) || name.length > limits.extensionNameLength) {
        bad(
          shown(name),
          'invalid_attribute',
          texts.extension_name_wrong(),
          texts.extension_name({ most: limits.extensionNameLength }),
        );
      } else if (text === undefined) bad(name, 'invalid_attribute', texts.extension_value_wrong());
      else if (Buffer.byteLength(text) > limits.extensionBytes) {
        bad(name, 'invalid_attribute', texts.too_long(), texts.at_most_bytes({ most: limits.extensionBytes }));
      } else if (!isPlainText(text)) bad(name, 'forbidden_character', texts.character_refused());
      else if (name === 'traceparent' && !isTraceparent(text)) {
        bad(name, 'invalid_attribute', texts.no_trace_context(), verbatim('00-<32 hex>-<16 hex>-<2 hex>'));
      } else if (name === TEST_EVENT && text !== 'true') {
        // Read as no, a test that says it otherwise would be a fact for good.
        bad(name, 'invalid_attribute', texts.test_or_not(), texts.value_or_left_out({ value: 'true' }));
      } else extensions[name] = text;
    }
  }
  if (code !== undefined) return { ok: false, code, problems };
  return {
    ok: true,
    attributes: {
      id: given['id'] as string,
      source: given['source'] as string,
      type: given['type'] as string,
      subject: textOf(given['subject']),
      time: textOf(given['time']),
      dataschema: textOf(given['dataschema']),
      datacontenttype: textOf(given['datacontenttype']),
      extensions,
    },
  };
}

const EXPECTED: Record<string, Text> = {
  specversion: verbatim('1.0'),
  id: texts.id(),
  source: verbatim('urn:simpul:unit:<unit>:<system>'),
  type: verbatim('<domain>.<aggregate>.<fact>'),
  time: texts.time(),
};

type Bad = (name: string, of: FaultCode, reason: Text, expected?: Text) => void;

function checkKnown(name: string, value: string, bad: Bad, limits: PublishLimits): void {
  switch (name) {
    case 'specversion':
      if (value !== '1.0') bad(name, 'invalid_attribute', texts.version_not_read(), EXPECTED['specversion']);
      break;
    case 'id':
      if (value.length > limits.idLength)
        bad(name, 'invalid_attribute', texts.too_long(), texts.at_most_characters({ most: limits.idLength }));
      break;
    case 'source':
      if (value.length > 200) bad(name, 'invalid_attribute', texts.too_long(), texts.at_most_characters({ most: 200 }));
      break;
    case 'type':
      if (!isTypeName(value)) bad(name, 'unknown_type', texts.type_name_wrong(), EXPECTED['type']);
      break;
    case 'time':
      if (!isTime(value)) bad(name, 'invalid_attribute', texts.not_a_time(), EXPECTED['time']);
      break;
    case 'subject':
      if (Buffer.byteLength(value) > limits.subjectBytes) {
        bad(name, 'subject_too_long', texts.too_long(), texts.at_most_bytes({ most: limits.subjectBytes }));
      }
      break;
    default:
      if (value.length > 300) bad(name, 'invalid_attribute', texts.too_long(), texts.at_most_characters({ most: 300 }));
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function extensionText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  // Integer of CloudEvents: signed, 32 bits.
  return typeof value === 'number' && Number.isInteger(value) && value >= -0x80000000 && value <= 0x7fffffff
    ? String(value)
    : undefined;
}

function shown(name: string): string {
  return name.slice(0, 40).replace(/[^\x20-\x7e]/g, '?');
}
