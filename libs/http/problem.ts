import { showProblem, type Fault, type Language, type Problem, type ShownProblem } from '#faults';
import { statusOf } from './status.js';
import type { ProblemDocument } from './types.js';

export type { Language };

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** The page that the `type` of every problem document points to, before `#<code>`. */
export const ERRORS_PATH = '/docs/errors';

/** The asker's language: the one of `id` and `en` with the greater weight; Indonesian when neither is named. Total. */
export function languageOf(header: string | undefined): Language {
  if (header === undefined) return 'id';
  let id = -1;
  let en = -1;
  for (const part of header.slice(0, 500).split(',')) {
    const [tag = '', ...rest] = part.trim().toLowerCase().split(';');
    const q = Number(rest.map((r) => /^\s*q=([0-9.]{1,5})\s*$/.exec(r)?.[1]).find((v) => v !== undefined) ?? 1);
    if (!(q > 0)) continue;
    if (tag === 'id' || tag.startsWith('id-') || tag === 'in') id = Math.max(id, q);
    else if (tag === 'en' || tag.startsWith('en-')) en = Math.max(en, q);
  }
  return en > id ? 'en' : 'id';
}

const MAX_ERRORS = 100;

/** Names a request in its problem document. */
export function instanceOf(requestId: string): string {
  return `urn:simpul:request:${requestId}`;
}

/** The problem document of a fault. `instance` names the request, so that an operator can find its log line. Never holds a stack or a cause. */
export function problemOf(fault: Fault, language: Language, instance: string): ProblemDocument {
  const { row } = fault;
  const status = statusOf(fault.code);
  const out: ProblemDocument = {
    type: `${ERRORS_PATH}#${fault.code}`,
    title: row.title[language],
    status,
    instance,
    code: fault.code,
    hint: row.hint[language],
  };
  // Details of an internal error go to the log, not to the caller.
  if (fault.detail !== undefined && status !== 500) out.detail = fault.detail;
  if (fault.limit !== undefined) out.limit = fault.limit;
  if (fault.problems.length > 0) out.errors = problemsIn(language, fault.problems);
  return out;
}

/** Problems in the asker's language, at most 100. */
export function problemsIn(language: Language, problems: readonly Problem[]): ShownProblem[] {
  return problems.slice(0, MAX_ERRORS).map((p) => showProblem(p, language));
}

/** Whole seconds for a Retry-After header, at least 1. */
export function retryAfter(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1000)));
}
