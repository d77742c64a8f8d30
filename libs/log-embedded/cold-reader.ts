// The reader thread. A worker loads this file by itself, so it imports only node: modules, types, and files that do the same (their names end in .ts).
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ReadAnswer, ReadOp, ReaderStart, Request } from './ops.ts';
import { inSnapshot, Rows } from './rows.ts';

const port = parentPort!;
const post = (message: FromThread<ReadAnswer>, transfer?: ArrayBuffer[]): void => port.postMessage(message, transfer);

interface SqliteError {
  readonly errcode?: number;
  readonly message?: string;
}

function answerOf(db: DatabaseSync, rows: Rows, op: ReadOp): ReadAnswer {
  if (op.op === 'offsetAt') {
    const offset = rows.offsetAt(op.part, op.timeMs);
    return offset === undefined ? { kind: 'gone' } : { kind: 'offset', offset };
  }
  return inSnapshot(db, () => {
    const range = rows.range(op.part);
    if (!range) return { kind: 'gone' };
    const { low, high } = range;
    const outside = op.from < low || op.from >= high;
    return { kind: 'page', low, high, rows: outside ? [] : rows.page(op.part, op.from, high, op.dense, op) };
  });
}

try {
  const db = new DatabaseSync((workerData as ReaderStart).file, { readOnly: true, timeout: 1_000 });
  const rows = new Rows(db);
  port.on('message', (requests: readonly Request<ReadOp>[]) => {
    for (const { id, op } of requests) {
      try {
        const answer = answerOf(db, rows, op);
        const buffers =
          answer.kind === 'page' ? answer.rows.map((row) => row.data?.buffer as ArrayBuffer | undefined) : [];
        post(
          { answers: [[id, answer]] },
          buffers.filter((b) => b !== undefined),
        );
      } catch (e) {
        const { message, errcode } = e as SqliteError;
        post({ answers: [[id, { kind: 'failed', reason: `${message ?? String(e)} (sqlite ${errcode ?? '-'})` }]] });
      }
    }
  });
  post({ opened: true });
} catch (e) {
  post({ opened: false, code: 'log_unavailable', reason: String((e as SqliteError).message ?? e) });
  port.close();
}
