import { pino, type DestinationStream } from 'pino';

/** What rooms may write: a short text and named facts (codes, counts, positions), never event data. */
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

/** One JSON line per entry on the stream (default: standard output), time in ISO 8601 UTC. Personal fields are cut out whatever a caller passes. */
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
