import { findErrorBy, MultipleErrors, NetworkError, ProtocolError } from '@platformatic/kafka';
import type { ErrorName } from '../protocol.js';

/** Whether one of these Kafka errors is in the chain of causes. Never throws. */
export function hasCode(error: unknown, ...ids: readonly ErrorName[]): boolean {
  return typeof error === 'object' && error !== null && ids.some((id) => findErrorBy(error as Error, 'apiId', id));
}

/** Whether a connection broke or timed out, so that the request may have reached the broker. Never throws. */
export function hasNetworkError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && findErrorBy(error as Error, 'code', 'PLT_KFK_NETWORK') !== null;
}

/** The client library reports a missing topic only in the text of its error. */
export function isUnknownTopic(error: unknown): boolean {
  const text =
    error instanceof Error || (typeof error === 'object' && error !== null) ? String((error as Error).message) : '';
  return text.startsWith('Unknown topic') || hasCode(error, 'UNKNOWN_TOPIC_OR_PARTITION');
}

/** The error for a code that a broker answered: hasCode() finds it. */
export function brokerError(code: number, text?: string): Error {
  try {
    return new ProtocolError(code, text ?? null);
  } catch {
    return new Error(`Kafka error ${code}${text === undefined ? '' : `: ${text}`}`);
  }
}

/** An error for which hasNetworkError() is true, with the causes behind it. */
export function networkError(text: string, ...causes: readonly unknown[]): Error {
  const errors = causes.filter((c): c is Error => typeof c === 'object' && c !== null);
  return new MultipleErrors(text, [new NetworkError(text), ...errors]);
}
