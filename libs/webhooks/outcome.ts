import type { Answer } from './exchange.js';
import { Ended } from './exchange.js';
import { ADDRESS_REFUSED } from './connect.js';
import type { AttemptOutcome } from './port.js';
import { URL_REFUSED } from './url.js';

/** The body has another length than the head says. */
const LENGTH = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
const MOST_CHARACTERS = 1_000;
const MOST_RETRY_AFTER_MS = 3_600_000;
/** 4xx that say nothing of the event. */
const LATER = new Set([408, 409, 425, 429]);
/** 4xx that may be about the sender or the address, and not about the event: what other events get decides (ADR 44). */
const OF_ALL = new Set([401, 403, 404]);

/** What an answer, or its absence, means for the attempt. */
export function outcomeOf(answer: Answer, ms: number, now = Date.now()): AttemptOutcome {
  if (answer.kind === 'none') return answer.sent ? failed(answer.error, ms) : unsent(answer.error, ms);
  const { status, headers, begin } = answer;
  // The head of a 204 is all of it (RFC 9110), whatever length it names.
  const error =
    status === 204 && answer.error !== undefined && codeOf(answer.error) === LENGTH ? undefined : answer.error;
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
  if (code === 'UND_ERR_INVALID_ARG' || (error instanceof Ended && code !== 'TIMEOUT')) return failed(error, ms);
  return { kind: 'unreachable', reason: unreachableOf(code), ms };
}

const REASONS: Readonly<Record<string, string>> = {
  TIMEOUT: 'timeout',
  NO_TURN: 'timeout',
  CANCELLED: 'cancelled',
  CLOSED: 'closed',
  TOO_MANY_INFORMATIONAL: 'invalid_answer',
  UND_ERR_HEADERS_OVERFLOW: 'answer_too_large',
  [LENGTH]: 'reset',
  UND_ERR_INVALID_ARG: 'invalid_request',
};

function reasonOf(error: Error): string {
  const code = codeOf(error);
  const known = REASONS[code];
  if (known !== undefined) return known;
  // The parser of undici gives no code. At the end of a connection in the middle of a body it names the EOF.
  if (error.name === 'HTTPParserError') return error.message.includes('EOF') ? 'reset' : 'invalid_answer';
  return /bad (?:response|upgrade)/.test(error.message) ? 'invalid_answer' : 'reset';
}

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
export function retryAfterOf(value: string | readonly string[] | undefined, now: number): number | undefined {
  const text = typeof value === 'string' ? value.trim() : value?.[0]?.trim();
  if (text === undefined) return undefined;
  const wished = /^\d+$/.test(text)
    ? Number(text) * 1_000
    : /^[A-Z][a-z]{2,8},? /.test(text)
      ? Date.parse(text) - now
      : NaN;
  return Number.isNaN(wished) ? undefined : Math.min(Math.max(wished, 0), MOST_RETRY_AFTER_MS);
}
