import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { verbatim, type Language, type Text } from '#faults';
import { texts } from './texts.js';

export interface UpOptions {
  readonly engine: 'embedded' | 'kafka';
  readonly dataDir: string;
  readonly port: number;
  readonly demo: boolean;
  readonly once: boolean;
  readonly json: boolean;
  readonly chaos: boolean;
  readonly lang: Language;
  readonly caller: Caller;
}

/** What a person types to call the launcher and the command line, for the hints of the launcher. */
export interface Caller {
  readonly start: string;
  readonly cli: string;
  /** Shown after a wrong option. */
  readonly usage: string;
}

export const USAGE = `npm start -- [options]
  --once            end after the verdict, exit 0 or 1
  --json            print the verdict as one JSON line last
  --no-demo         start an empty hub
  --chaos           kill the hub with -9 three times during the day
  --engine NAME     embedded (default) or kafka
  --port N          default 8080; 0 takes a free one
  --data DIR        default .simpul/data (kafka: .simpul/data-kafka)
  --lang id|en      default from LANG`;

/** No valid options. `wrong` is absent when only the usage (--help) was asked for. */
export interface WrongOptions {
  readonly lang: Language;
  readonly wrong?: Text;
}

/** Reads the options of the launcher. An option that is not given is taken from the environment, then from its default. */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv, caller: Caller): UpOptions | WrongOptions {
  let lang: Language = /^en/i.test(env['SIMPUL_LANG'] || env['LC_ALL'] || env['LANG'] || '') ? 'en' : 'id';
  const wrong = (text: Text): WrongOptions => ({ lang, wrong: text });
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        once: { type: 'boolean' },
        json: { type: 'boolean' },
        'no-demo': { type: 'boolean' },
        chaos: { type: 'boolean' },
        engine: { type: 'string' },
        port: { type: 'string' },
        data: { type: 'string' },
        lang: { type: 'string' },
        help: { type: 'boolean' },
      },
    }));
  } catch (e) {
    return wrong(verbatim((e as Error).message));
  }
  if (values.lang !== undefined) {
    if (values.lang !== 'id' && values.lang !== 'en') return wrong(texts.lang_wrong({ given: values.lang }));
    lang = values.lang;
  }
  if (values.help) return { lang };
  const engine = values.engine ?? env['SIMPUL_ENGINE'] ?? 'embedded';
  if (engine !== 'embedded' && engine !== 'kafka') return wrong(texts.engine_wrong({ given: engine }));
  const port = Number(values.port ?? env['SIMPUL_PORT'] ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    return wrong(texts.port_wrong({ given: values.port ?? '' }));
  if (values['no-demo'] && (values.chaos || values.once)) return wrong(texts.no_day_to_end());
  return {
    engine,
    dataDir: resolve(values.data ?? env['SIMPUL_DATA'] ?? (engine === 'kafka' ? '.simpul/data-kafka' : '.simpul/data')),
    port,
    demo: !values['no-demo'],
    once: values.once ?? false,
    json: values.json ?? false,
    chaos: values.chaos ?? false,
    lang,
    caller,
  };
}
