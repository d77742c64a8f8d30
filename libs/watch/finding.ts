import { hash } from 'node:crypto';

export const FINDING_KINDS = ['silent', 'gap', 'skew', 'storm'] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** What is wrong with what a unit sends, from when until when. Texts hold numbers and times only, never data. */
export interface Finding {
  /** The same in every process and after every restart. */
  readonly id: string;
  readonly kind: FindingKind;
  /** Id of the unit, or code of the external party. */
  readonly unit: string;
  /** Absent of a silent unit: no system of it has sent anything. */
  readonly system?: string;
  readonly stream: string;
  /** The type that was expected of a silent unit. */
  readonly type?: string;
  /** When it began, ms: deadline, or recorded time of the event that showed it. */
  readonly sinceMs: number;
  /** When it ended, ms. */
  readonly untilMs?: number;
  /** silent: the deadline; gap: the numbers that are missing; skew: the recorded time; storm: how many resends a minute are usual at most. */
  readonly expected: string;
  /** silent: recorded time of the last report, or empty; gap: the highest number; skew: what the clock of the unit said; storm: the greatest count in a minute. */
  readonly seen: string;
  /** Whether its event was published. */
  readonly told?: 'begin' | 'end';
}

/** An id that says what a finding is about, so that its events have the same ids whoever publishes them. */
export function findingId(...about: readonly (string | number)[]): string {
  return hash('sha256', about.join('\n'), 'base64url').slice(0, 22);
}

export const isoOf = (ms: number): string => new Date(ms).toISOString();
