import { existsSync, readFileSync } from 'node:fs';
import type { Received } from '../receiver/script.js';
import type { Arrival } from './judge.js';

/** An attempt as the process that made it told it before it began. */
export interface ToldSend {
  readonly pid: number;
  /** Where it listens. */
  readonly port: number;
  readonly at: number;
  readonly subscription: string;
  readonly positions: readonly string[];
}

/** What processes told, see told-hub.mjs. */
export const sendsIn = (file: string): readonly ToldSend[] => linesOf(file) as ToldSend[];

/** What came in of a subscription at a receiver, by its history file; it answers after `delayMs`. */
export function arrivalsIn(file: string, to: string, subscription: string, delayMs = 0): readonly Arrival[] {
  const own = (linesOf(file) as Received[]).filter((request) => request.subscription === subscription);
  return own.flatMap((request) =>
    request.events.map(({ id, source, position }) => ({
      ...{ to, at: request.at, answeredAt: request.at + delayMs, webhookId: request.id },
      ...{ id, source, position },
      taken: typeof request.answer === 'number' && request.answer < 300,
    })),
  );
}

const linesOf = (file: string): unknown[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        // The last line may be cut off by a kill.
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as unknown)
    : [];
