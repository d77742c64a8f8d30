import { FAULTS } from '#faults';
import { SdkFault } from './fault.js';

/** Whether the parsed JSON of an answer has the form that the call expects. */
export type Shape = (body: Readonly<Record<string, unknown>>) => boolean;

/** What came over HTTP, before it is known whether the hub has said it. */
export interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  /** Parsed JSON; undefined when the text is none. */
  readonly body: unknown;
}

/** A list under this name. */
export const listOf =
  (name: string): Shape =>
  (body) =>
    Array.isArray(body[name]);

function isObject(body: unknown): body is Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

/** A code of this version's table, or one that its `type` names: a newer hub has more codes. */
function isProblem(body: unknown): boolean {
  if (!isObject(body) || typeof body['code'] !== 'string') return false;
  return Object.hasOwn(FAULTS, body['code']) || body['type'] === `/docs/errors#${body['code']}`;
}

/**
 * Whether an answer is the hub's, and not that of a proxy, a load balancer or a login page on the way: a refusal is a problem document with a code of the hub,
 * everything else a JSON object of the expected shape. 404 from an ingress must never read as "no such entry": for a ban list that would say "nobody".
 */
export function isOfHub({ status, contentType = '', body }: Answer, shape?: Shape): boolean {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (status >= 300 && status < 400) return false;
  if (isObject(body) && shape?.(body) === true && /^application\/(.+\+)?json$/.test(type)) return true;
  if (status >= 400) return type === 'application/problem+json' && isProblem(body);
  return shape === undefined && isObject(body) && /^application\/(.+\+)?json$/.test(type);
}

/** The fault of an answer that is not the hub's: no answer, so the call may be sent again. `problem.detail` says what came. */
export function foreignAnswer({ status, contentType }: Answer, retryAfterMs?: number): SdkFault {
  const detail = `${status} ${contentType?.slice(0, 60) ?? 'without a content type'}`;
  return new SdkFault(0, { code: 'foreign_answer', detail }, { retryable: true, retryAfterMs });
}
