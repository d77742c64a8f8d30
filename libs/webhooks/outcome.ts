import type { Answer } from './exchange.js';
import { Ended } from './ended.js';
import { ADDRESS_REFUSED } from './connect.js';
import type { AttemptOutcome } from './port.js';
import { URL_REFUSED } from './url.js';

const MOST_CHARACTERS = 1_000;
const MOST_RETRY_AFTER_MS = 3_600_000;
/** 4xx that say nothing of the event. */
const LATER = new Set([408, 409, 425, 429]);
/** 4xx that may be about the sender or the address, and not about the event: what other events get decides (ADR 44). */
const OF_ALL = new Set([401, 403, 404]);

/** What an answer, or its absence, means for the attempt. */
export function outcomeOf(answer: Answer, ms: number, now = Date.now()): AttemptOutcome {
  if (answer.kind === 'none') return answer.sent ? failed(answer.error, ms) : unsent(answer.error, ms);
  const { status, headers, begin, error } = answer;
  const text = headOf(begin);
  const head = text === '' ? {} : { head: text };
  if (error !== undefined) return { ...failed(error, ms), status, ...head };
  if (status < 300) return { kind: 'delivered', status, ms, ...head };
  const refused = { reason: 'status', status, ms, ...head };
  if (status === 410) return { kind: 'gone', ...refused };
  if (OF_ALL.has(status)) return { kind: 'failed', ...refused };
  if (status < 500 && !LATER.has(status)) return { kind: 'refused', ...refused };
  const retryAfterMs = retryAfterOf(headers['retry-after'], now);
  return { kind: 'failed', ...refused, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

type Failed = Extract<AttemptOutcome, { kind: 'failed' | 'refused' | 'gone' }>;

function failed(error: Error, ms: number): Failed {
  return { kind: 'failed', reason: reasonOf(error), ms };
}

/** Nothing went out: the target is not reached, unless it was the sender that gave up. */
function unsent(error: Error, ms: number): AttemptOutcome {
  const code = codeOf(error);
  if (error instanceof Ended && code !== 'TIMEOUT') return failed(error, ms);
  return { kind: 'unreachable', reason: unreachableOf(code), ms };
}

const REASONS: Readonly<Record<string, string>> = {
  TIMEOUT: 'timeout',
  NO_TURN: 'timeout',
  CANCELLED: 'cancelled',
  CLOSED: 'closed',
  TOO_MANY_INFORMATIONAL: 'invalid_answer',
  INVALID_ANSWER: 'invalid_answer',
  ANSWER_TOO_LARGE: 'answer_too_large',
  INVALID_REQUEST: 'invalid_request',
};

const reasonOf = (error: Error): string => REASONS[codeOf(error)] ?? 'reset';

function unreachableOf(code: string): string {
  if (code === ADDRESS_REFUSED) return 'address_refused';
  if (code === URL_REFUSED) return 'url_refused';
  if (code === 'TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT') return 'connect_timeout';
  if (/^(?:ENOTFOUND|EAI_|ENODATA|ESERVFAIL|EREFUSED|EBADNAME|EFORMERR|ENONAME)/.test(code)) return 'dns';
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|CRL_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|HOSTNAME_|INVALID_CA|EPROTO)/.test(code))
    return 'tls';
  return 'connect';
}

function codeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** The beginning of an answer as text that a terminal and a list can show. */
export function headOf(begin: Buffer | undefined): string {
  if (begin === undefined) return '';
  // As a stream: the bytes of a character that was cut at the end are left out.
  const text = new TextDecoder().decode(begin, { stream: true }).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  const cut = text.slice(0, MOST_CHARACTERS);
  return /[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut;
}

/** Milliseconds that a receiver asks for, at most an hour. undefined: it asks for none, or not in a form of HTTP. */
export function retryAfterOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const wished = /^\d+$/.test(text)
    ? Number(text) * 1_000
    : /^[A-Z][a-z]{2,8},? /.test(text)
      ? Date.parse(text) - now
      : NaN;
  return Number.isNaN(wished) ? undefined : Math.min(Math.max(wished, 0), MOST_RETRY_AFTER_MS);
}
