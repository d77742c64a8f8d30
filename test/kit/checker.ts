import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HubClient } from './checking/hub-client.js';
import type { ViewFile } from './checking/fold.js';
import { readHistory } from './checking/history.js';
import { judge } from './checking/judge.js';
import { deliveriesLine, langOf, tryLines, verdictLine } from './checking/words.js';

const { values: a } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    key: { type: 'string' },
    'key-file': { type: 'string' },
    history: { type: 'string', multiple: true },
    views: { type: 'string' },
    /** Keys of the processes that have subscriptions: `{"keys": {"SU00065:simkim": "…"}}`. */
    keys: { type: 'string' },
    day: { type: 'string' },
    engine: { type: 'string', default: 'embedded' },
    json: { type: 'boolean', default: false },
    lang: { type: 'string' },
    'wait-ms': { type: 'string' },
    data: { type: 'string', default: '.simpul/data' },
    /** The hub stops after the verdict, so no commands to try are printed. */
    once: { type: 'boolean', default: false },
    'unit-key': { type: 'string', default: '.simpul/data/demo/kanim.key' },
  },
});

const key =
  a.key ??
  (a['key-file'] === undefined ? process.env['SIMPUL_CHECKER_KEY'] : readFileSync(a['key-file'], 'utf8').trim());
if (key === undefined || a.history === undefined) {
  process.stderr.write('checker --url URL --key STEWARD_KEY --history FILE [--engine NAME] [--json] [--lang id|en]\n');
  process.exit(2);
}
const root = new URL('../../..', import.meta.url).pathname;
const folder = a.views ?? join(root, 'schemas', 'views');
const views = readdirSync(folder)
  .filter((f) => f.endsWith('.view.json'))
  .sort()
  .map((f) => JSON.parse(readFileSync(join(folder, f), 'utf8')) as ViewFile);
const keys =
  a.keys === undefined ? {} : (JSON.parse(readFileSync(a.keys, 'utf8')) as { keys: Record<string, string> }).keys;
/** `sdp@SU00208` */
const readers = (process: string): HubClient | undefined => {
  const [system, owner] = process.split('@');
  const own = keys[`${owner}:${system}`];
  return own === undefined ? undefined : new HubClient(a.url, own);
};
const lang = langOf(a.lang, process.env['LC_ALL'] ?? process.env['LANG']);

try {
  const judgement = await judge({
    hub: new HubClient(a.url, key),
    history: readHistory(a.history),
    views,
    engine: a.engine,
    readers,
    ...(a['wait-ms'] === undefined ? {} : { waitMs: Number(a['wait-ms']) }),
  });
  for (const text of judgement.problems.slice(0, 20)) process.stderr.write(`  ✗ ${text}\n`);
  if (judgement.problems.length > 20) process.stderr.write(`  ✗ … ${judgement.problems.length - 20} more\n`);
  if (a.json) process.stdout.write(`${JSON.stringify(judgement.verdict)}\n`);
  else
    process.stdout.write(
      `${[verdictLine(judgement, lang), ...[deliveriesLine(judgement, lang)].filter((l) => l !== undefined), ...(a.once ? [] : tryLines({ url: a.url, data: a.data, unitKey: a['unit-key'] }, lang))].join('\n')}\n`,
    );
  process.exitCode = judgement.good ? 0 : 1;
} catch (e) {
  process.stderr.write(`✗ checker: ${(e as Error).message}\n`);
  process.exitCode = 2;
}
