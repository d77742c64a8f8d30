import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { KafkaAccess } from './directorates.js';
import { texts } from './texts.js';

export interface MinistryOptions {
  readonly url: string;
  readonly keys: string;
  readonly history: string;
  readonly day: number;
  readonly seed: string;
  /** Size of the day; 1 is about 22,000 events. @default 1 */
  readonly scale: number;
  /** Real time that the day should take, in seconds. @default 48 */
  readonly seconds: number;
  readonly engine: string;
  /** Three directorates read from this Kafka. @default all read over HTTP */
  readonly kafka: KafkaAccess | undefined;
  readonly lang: 'id' | 'en';
  readonly json: boolean;
  readonly plain: boolean;
}

const USAGE =
  'ministry --url URL --keys FILE --history FILE [--day N] [--seed S] [--scale F] [--seconds S] [--engine embedded|kafka] [--kafka FILE] [--lang id|en] [--json] [--plain]\nministry --print-keys';

export type ParsedOptions =
  | { readonly kind: 'play'; readonly options: MinistryOptions }
  | { readonly kind: 'keys' }
  | { readonly kind: 'wrong'; readonly reason: string };

/** Options of the command line. The language is Indonesian unless `--lang en`. */
export function parseOptions(argv: readonly string[]): ParsedOptions {
  try {
    const { values: v } = parseArgs({
      args: [...argv],
      options: {
        url: { type: 'string', default: 'http://127.0.0.1:8080' },
        keys: { type: 'string' },
        history: { type: 'string' },
        day: { type: 'string', default: '1' },
        seed: { type: 'string', default: 'kementerian' },
        scale: { type: 'string', default: '1' },
        seconds: { type: 'string', default: '48' },
        engine: { type: 'string', default: 'embedded' },
        kafka: { type: 'string' },
        lang: { type: 'string' },
        json: { type: 'boolean', default: false },
        plain: { type: 'boolean', default: false },
        'print-keys': { type: 'boolean', default: false },
      },
    });
    if (v['print-keys']) return { kind: 'keys' };
    const lang = v.lang === 'en' ? 'en' : 'id';
    const numbers = { day: Number(v.day), scale: Number(v.scale), seconds: Number(v.seconds) };
    if (v.keys === undefined || v.history === undefined) return { kind: 'wrong', reason: USAGE };
    for (const [name, n] of Object.entries(numbers))
      if (!(n > 0))
        return { kind: 'wrong', reason: `${texts.number_above_0({ option: `--${name}` }).in(lang)}\n${USAGE}` };
    return {
      kind: 'play',
      options: {
        ...numbers,
        day: Math.floor(numbers.day),
        url: v.url,
        keys: v.keys,
        history: v.history,
        seed: v.seed,
        engine: v.engine,
        // Brokers, login and certificate, as JSON.
        kafka: v.kafka === undefined ? undefined : (JSON.parse(readFileSync(v.kafka, 'utf8')) as KafkaAccess),
        lang,
        json: v.json,
        plain: v.plain,
      },
    };
  } catch (e) {
    return { kind: 'wrong', reason: `${(e as Error).message}\n${USAGE}` };
  }
}
