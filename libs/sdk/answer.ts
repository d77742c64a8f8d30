import { SdkFault } from './fault.js';

/** Whether the parsed JSON of an answer has the form, and names the thing, that the call asked for. */
export type Shape = (body: Readonly<Record<string, unknown>>) => boolean;

/** What came over HTTP, before it is known whether the hub has said it. */
export interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  /** Parsed JSON; undefined when the text is none. */
  readonly body: unknown;
}

const PROBLEM = 'application/problem+json';
const JSON_TYPE = /^application\/(.+\+)?json$/;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A problem document of the hub: its `type` names its code (a newer hub has codes that this version does not know). Other services have problem documents with
 * a `code` too, some of them the same words: `not_found`, `forbidden`.
 */
export function isProblem(body: unknown, status: number): boolean {
  if (!isObject(body)) return false;
  const { code, type, status: named } = body;
  return typeof code === 'string' && (named === undefined || named === status) && type === `/docs/errors#${code}`;
}

/**
 * Whether an answer is the hub's, and not that of a proxy, a load balancer or a login page on the way: a refusal is a problem document of the hub, a success
 * JSON of the expected shape. 404 from an ingress must never read as "no such entry": for a ban list that would say "nobody".
 * `shaped`: statuses from 400 on whose answer has the shape too.
 */
export function isOfHub(
  { status, contentType = '', body }: Answer,
  shape: Shape,
  shaped: readonly number[] = [],
): boolean {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (status >= 400 && type === PROBLEM) return isProblem(body, status);
  const mayHaveShape = (status >= 200 && status < 300) || shaped.includes(status);
  return mayHaveShape && type !== PROBLEM && JSON_TYPE.test(type) && isObject(body) && shape(body);
}

/** The fault of an answer that is not the hub's: no answer, so the call may be sent again. `problem.detail` says what came. */
export function foreignAnswer({ status, contentType }: Answer, retryAfterMs?: number): SdkFault {
  const detail = `${status} ${contentType?.slice(0, 60) ?? 'without a content type'}`;
  return new SdkFault(0, { code: 'foreign_answer', detail }, { retryable: true, retryAfterMs });
}
