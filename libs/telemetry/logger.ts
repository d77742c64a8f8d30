import { pino, type DestinationStream } from 'pino';

/** The logger that rooms get: a short text and named fields (codes, counts, positions), never event data. */
export interface Logger {
  debug(facts: object, text: string): void;
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

const REDACTED = [
  'authorization',
  'key',
  'data',
  'subject',
  'password',
  '*.authorization',
  '*.key',
  '*.data',
  '*.subject',
  '*.password',
  'headers.authorization',
  'req.headers',
];

/**
 * A logger that writes one JSON line per entry to the stream (default: standard output), with the time in ISO 8601 UTC.
 * Fields that may hold secrets or personal data are redacted, whatever a caller passes.
 */
export function openLogger(
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent',
  role: string,
  stream?: DestinationStream,
): Logger {
  const options = {
    level,
    base: { role, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '••••' },
  };
  return stream ? pino(options, stream) : pino(options);
}
