// Runs in a thread of its own, which only looks for damaged pages. Node loads this file itself and only strips its types: import only node: modules and types.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const db = new DatabaseSync(String((workerData as { path: string }).path), { readOnly: true });
const found = String(Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0] ?? '');
db.close();
parentPort?.postMessage(found);
