import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HubClient } from '../checking/hub-client.js';
import type { ViewFile } from '../checking/fold.js';
import { foldHistory, idOf, type HistoryLine } from '../checking/history.js';
import { judge, type Verdict } from '../checking/judge.js';
import { readLog } from '../checking/log.js';

const folder = join(import.meta.dirname, '../../../schemas/views');

function viewFiles(): ViewFile[] {
  const files = readdirSync(folder).filter((f) => f.endsWith('.view.json'));
  return files.sort().map((f) => JSON.parse(readFileSync(join(folder, f), 'utf8')) as ViewFile);
}

/** Judges everything that was published so far, by log, stream reads and views. Throws an error that lists the problems. */
export async function expectSound(
  url: string,
  steward: string,
  lines: readonly HistoryLine[],
  engine: string,
): Promise<Verdict> {
  const hub = new HubClient(url, steward);
  const history = foldHistory(lines);
  const judged = await judge({ hub, history, views: viewFiles(), engine, waitMs: 60_000 });
  if (!judged.good) throw new Error(`${JSON.stringify(judged.verdict)}\n${judged.problems.slice(0, 12).join('\n')}`);
  return judged.verdict;
}

/** Checks that the receipt of each (source, id) has the position and digest of its first record. Returns how many were checked. */
export async function expectReceipts(url: string, steward: string, lines: readonly HistoryLine[]): Promise<number> {
  const hub = new HubClient(url, steward);
  const wrong: string[] = [];
  const log = await readLog(hub, (text) => wrong.push(text));
  const ids = new Map(lines.filter((l) => l.type === 'ok').map((l) => [idOf(l), l]));
  for (const [key, { source, id }] of ids) {
    const first = log.firsts.get(key)?.[0];
    const receipt = await hub.get(`/v1/receipts?source=${encodeURIComponent(source)}&id=${encodeURIComponent(id)}`);
    const at = first === undefined ? 'no position' : `${first.stream}/${first.partition}/${first.offset}`;
    if (receipt['position'] !== at || receipt['digest'] !== `sha-256:${first?.digest ?? ''}`)
      wrong.push(
        `receipt of ${source} ${id} has position ${String(receipt['position'])}, its first record is at ${at}`,
      );
  }
  if (wrong.length > 0) throw new Error(wrong.slice(0, 12).join('\n'));
  return ids.size;
}
