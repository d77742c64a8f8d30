import { FAULT_CLASSES, FAULTS, type FaultAction, type FaultCode, type FaultRow } from './table.js';
import { Text, type Language } from './text.js';

const BRAND = Symbol.for('simpul.fault');

/** One error in a request or in the settings. `pointer`: an RFC 6901 pointer into the body, `?name` of a query parameter, or the name of a header or setting. */
export interface Problem {
  readonly pointer: string;
  readonly reason: Text;
  readonly expected?: Text;
  /** Index of the item in a batch, from 0. */
  readonly index?: number;
  readonly code?: FaultCode;
}

/** A problem with its texts in one language, members in the order in which a person reads them. */
export interface ShownProblem {
  readonly index?: number;
  readonly pointer: string;
  readonly reason: string;
  readonly expected?: string;
  readonly code?: FaultCode;
}

/** Renders the texts of a problem. Total. */
export function showProblem({ index, pointer, reason, expected, code }: Problem, language: Language): ShownProblem {
  return {
    ...(index === undefined ? {} : { index }),
    pointer,
    reason: reason.in(language),
    ...(expected === undefined ? {} : { expected: expected.in(language) }),
    ...(code === undefined ? {} : { code }),
  };
}

export interface FaultOptions {
  readonly detail?: string;
  readonly problems?: readonly Problem[];
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
  /** What would have been accepted at most, in bytes; or the name of the budget that is used up. */
  readonly limit?: number | string;
}

/** The only error class of the product. `code` names a row of the table; message texts never carry data of events. */
export class Fault extends Error {
  readonly [BRAND] = true;
  readonly code: FaultCode;
  readonly problems: readonly Problem[];
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly limit: number | string | undefined;

  constructor(code: FaultCode, options: FaultOptions = {}) {
    super(
      options.detail ? `${code}: ${options.detail}` : code,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'Fault';
    this.code = code;
    this.problems = options.problems ?? [];
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
    this.limit = options.limit;
  }

  get row(): FaultRow {
    return FAULTS[this.code];
  }
}

/** The title of a fault's code, where a problem needs a reason and nothing more is known. */
export function titleOf(fault: Fault): Text {
  return new Text(fault.code, fault.row.title);
}

/** What a caller may do after an error with this code. */
export function actionOf(code: FaultCode): FaultAction {
  return FAULT_CLASSES[FAULTS[code].class].action;
}

/** Whether the same request may be sent again later. */
export function isRetryable(fault: Fault): boolean {
  return actionOf(fault.code) === 'retryable';
}

/** What has to change so that an error with this code does not come back: the request or the hub. */
export function blameOf(code: FaultCode): 'request' | 'hub' {
  return FAULT_CLASSES[FAULTS[code].class].blame;
}

/** True for a Fault, also of another copy of this module in the process. Total. */
export function isFault(e: unknown): e is Fault {
  return typeof e === 'object' && e !== null && (e as Record<symbol, unknown>)[BRAND] === true;
}

/** The fault of any thrown value: itself, or `internal` with the value as cause. Total. */
export function asFault(e: unknown): Fault {
  return isFault(e) ? e : new Fault('internal', { cause: e });
}

/** The innermost message of an error chain (`cause`, `errors`): the root cause, for an operator. Total. */
export function innermostMessage(e: unknown): string {
  let at: unknown = e;
  for (let i = 0; i < 20 && typeof at === 'object' && at !== null; i++) {
    const { errors, cause } = at as { errors?: unknown; cause?: unknown };
    const next: unknown = Array.isArray(errors) && errors.length > 0 ? errors[errors.length - 1] : cause;
    if (next === undefined || next === null) break;
    at = next;
  }
  const message = typeof at === 'object' && at !== null ? (at as { message?: unknown }).message : at;
  return typeof message === 'string' && message !== '' ? message : String(message ?? at);
}
