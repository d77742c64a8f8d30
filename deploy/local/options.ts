import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface UpOptions {
  readonly engine: 'embedded' | 'kafka';
  readonly dataDir: string;
  readonly port: number;
  readonly demo: boolean;
  readonly once: boolean;
  readonly json: boolean;
  readonly chaos: boolean;
  readonly lang: 'id' | 'en';
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

/** Options of the launcher; a text when they are wrong. Settings of the environment stand in for what is not given. */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): UpOptions | { readonly wrong: string } {
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
    return { wrong: (e as Error).message };
  }
  if (values.help) return { wrong: '' };
  const engine = values.engine ?? env['SIMPUL_ENGINE'] ?? 'embedded';
  if (engine !== 'embedded' && engine !== 'kafka') return { wrong: `--engine ${engine}: embedded or kafka` };
  const port = Number(values.port ?? env['SIMPUL_PORT'] ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return { wrong: `--port ${values.port ?? ''}: 0 to 65535` };
  const lang = values.lang ?? (/^en/i.test(env['SIMPUL_LANG'] || env['LC_ALL'] || env['LANG'] || '') ? 'en' : 'id');
  if (lang !== 'id' && lang !== 'en') return { wrong: `--lang ${lang}: id or en` };
  if (values['no-demo'] && (values.chaos || values.once))
    return { wrong: '--no-demo has no day to end: leave out --once and --chaos' };
  return {
    engine,
    dataDir: resolve(values.data ?? env['SIMPUL_DATA'] ?? (engine === 'kafka' ? '.simpul/data-kafka' : '.simpul/data')),
    port,
    demo: !values['no-demo'],
    once: values.once ?? false,
    json: values.json ?? false,
    chaos: values.chaos ?? false,
    lang,
  };
}
