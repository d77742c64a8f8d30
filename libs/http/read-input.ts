import { parseJson } from '#avro';
import { Fault, Text, verbatim, type Problem } from '#faults';
import type { FastifyRequest } from 'fastify';
import type { ZodType, z } from 'zod';
import { texts } from './texts.js';

type Issue = z.core.$ZodIssue;

/** A problem document shows no more: the texts of the others would be made for nobody. */
const MAX_ISSUES = 100;

/** What the body of a door may have: most list 1,000 keys with their members. What is more would cost the schemas 10 µs for each entry, in one go. */
const NAMES = { object: 1_000, all: 10_000 };
const LIST_ENTRIES = { list: 1_000, all: 10_000 };

/** Query parameters that fit `schema`; Fault invalid_query. A parameter given twice, `%00` and unknown names (strict schemas) are refused. */
export function readQuery<S extends ZodType>(req: FastifyRequest, schema: S): z.output<S> {
  const given = req.query as Record<string, unknown>;
  const problems: Problem[] = [];
  const raw = req.url.slice(req.url.indexOf('?') + 1);
  if (raw.includes('%') && req.url.includes('?') && !decodes(raw)) {
    problems.push({ pointer: '?', reason: texts.percent_code_broken() });
  }
  for (const name of Object.keys(given)) {
    const value = given[name];
    // Schemas that let unknown names pass, for the filters of a view, lose this one: it would be ignored instead of refused.
    if (name === '__proto__') problems.push({ pointer: '?__proto__', reason: texts.unknown_name() });
    else if (Array.isArray(value)) {
      problems.push({ pointer: `?${shown(name)}`, reason: texts.given_more_than_once(), expected: texts.once() });
    } else if (!clean(name) || !clean(String(value))) {
      problems.push({ pointer: `?${shown(name)}`, reason: texts.control_character() });
    }
  }
  if (problems.length === 0) {
    const read = schema.safeParse({ ...given });
    if (read.success) return read.data;
    for (const issue of read.error.issues.slice(0, MAX_ISSUES))
      problems.push(...problemsOf(issue, (path) => `?${path.map(String).join('.')}`));
  }
  throw new Fault('invalid_query', { problems });
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function clean(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c === 0x7f) return false;
  }
  return text.isWellFormed();
}

/** The JSON body, read strictly, by a schema. Faults unsupported_media_type, invalid_json and the other codes of the JSON reader, invalid_request with pointers. `choose`: by the schema for what is given. */
export function readBody<S extends ZodType>(req: FastifyRequest, schema: S | ((given: unknown) => S)): z.output<S> {
  const type = mediaType(req.headers['content-type']);
  const body = req.body;
  if (!Buffer.isBuffer(body) || body.length === 0) {
    throw new Fault('invalid_json', { detail: 'the body is empty' });
  }
  if (!isJsonType(type)) {
    throw new Fault('unsupported_media_type', {
      problems: [{ pointer: 'content-type', reason: texts.not_json(), expected: verbatim('application/json') }],
    });
  }
  const parsed = parseJson(body, NAMES);
  if (!parsed.ok) {
    const { code, detail, beyond } = parsed;
    const expected = texts.at_most({ most: String(NAMES[beyond?.bound ?? 'all']) });
    const problems = beyond && [{ pointer: beyond.pointer, reason: texts.too_many_names(), expected }];
    throw new Fault(code, { detail, problems: problems ?? [] });
  }
  checkEntries(parsed.value);
  const read = (typeof schema === 'function' ? schema(parsed.value) : schema).safeParse(parsed.value);
  if (read.success) return read.data;
  const problems = read.error.issues.slice(0, MAX_ISSUES).flatMap((i) => problemsOf(i, pointer));
  throw new Fault('invalid_request', { problems });
}

/** Fault invalid_request where the lists of a body have too many entries: one problem, and not one for each entry. */
function checkEntries(value: unknown): void {
  let all = 0;
  const tooMany = (path: readonly PropertyKey[], most: number): Fault => {
    const expected = texts.at_most({ most: String(most) });
    return new Fault('invalid_request', {
      problems: [{ pointer: pointer(path), reason: texts.too_large(), expected }],
    });
  };
  const walk = (inner: unknown, path: readonly PropertyKey[]): void => {
    if (typeof inner !== 'object' || inner === null) return;
    if (Array.isArray(inner)) {
      if (inner.length > LIST_ENTRIES.list) throw tooMany(path, LIST_ENTRIES.list);
      if ((all += inner.length) > LIST_ENTRIES.all) throw tooMany([], LIST_ENTRIES.all);
    }
    for (const [name, each] of Object.entries(inner)) walk(each, [...path, name]);
  };
  walk(value, []);
}

/** JSON pointer, RFC 6901. */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((p) => `/${String(p).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Whether the media type, as mediaType() gives it, says JSON: application/json, text/json, or any type with the suffix +json (RFC 6839). */
export function isJsonType(type: string): boolean {
  return (
    type === 'application/json' || type === 'text/json' || /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]*\+json$/.test(type)
  );
}

/** The media type without parameters, lower case. */
export function mediaType(header: string | undefined): string {
  if (header === undefined) return '';
  const end = header.indexOf(';');
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase();
}

function problemsOf(issue: Issue, at: (path: readonly PropertyKey[]) => string): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .slice(0, 20)
      .map((k) => ({ pointer: at([...issue.path, shown(k)]), reason: texts.unknown_name() }));
  }
  const expected = expectedOf(issue);
  return [{ pointer: at(issue.path), reason: reasonOf(issue), ...(expected === undefined ? {} : { expected }) }];
}

/** For `refine` of a schema: the reason of the problem when the check fails. */
export function because(reason: Text): { readonly params: { readonly text: Text } } {
  return { params: { text: reason } };
}

/** The messages of zod may quote the value that was given; the texts of the hub never do. */
function reasonOf(issue: Issue): Text {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined && /undefined/.test(issue.message) ? texts.missing() : texts.wrong_type();
    case 'too_small':
      return texts.too_small();
    case 'too_big':
      return texts.too_large();
    case 'invalid_value':
      return texts.not_an_allowed_value();
    case 'invalid_format':
      return texts.wrong_form();
    case 'custom':
      return issue.params?.['text'] instanceof Text ? issue.params['text'] : texts.not_valid();
    default:
      return texts.not_valid();
  }
}

function expectedOf(issue: Issue): Text | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return verbatim(issue.expected);
    case 'too_small':
      return texts.at_least({ least: String(issue.minimum) });
    case 'too_big':
      return texts.at_most({ most: String(issue.maximum) });
    case 'invalid_value':
      return verbatim(issue.values.map(String).join(' · '));
    case 'invalid_format':
      return verbatim('pattern' in issue && typeof issue.pattern === 'string' ? issue.pattern : issue.format);
    default:
      return undefined;
  }
}

function shown(name: string): string {
  return name.slice(0, 40).replace(/[^\x20-\x7e]/g, '?');
}
