import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createReader, isSdkFault, type ReadEvent } from '@simpul/sdk';

const url = process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080';
const key = process.env['SIMPUL_KEY'] ?? '';
const cursorFile = process.argv[2] ?? 'subscriber.cursor';

function loadCursor(): string | undefined {
  try {
    return readFileSync(cursorFile, 'utf8');
  } catch {
    return undefined;
  }
}

/** Replaces the file in one step: the hub refuses half a cursor. */
function storeCursor(cursor: string): void {
  writeFileSync(`${cursorFile}.new`, cursor);
  renameSync(`${cursorFile}.new`, cursorFile);
}

function handle(e: ReadEvent): void {
  const held = Number(e.data['jumlahTahanan']) + Number(e.data['jumlahNarapidana']) + Number(e.data['jumlahAnak']);
  console.log(
    `${String(e.data['tanggal'])} ${String(e.data['unit'])}: ${held} in ${String(e.data['kapasitas'])} places`,
  );
}

const reader = createReader({ url, key });
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
const cursor = loadCursor();
try {
  // Later the hub may be away for days: `pages` asks on.
  await reader.me({ deadlineMs: 5_000 });
  const from = cursor === undefined ? { from: 'earliest' } : { cursor };
  for await (const page of reader.pages('pas.hunian', { ...from, follow: true, signal: stop.signal })) {
    for (const e of page.events) handle(e);
    for (const position of page.damaged ?? []) console.error(`the hub cannot read ${position} any more`);
    // Store the cursor after the work: after a crash the last page is delivered again, so handling must be idempotent.
    storeCursor(page.next);
  }
} catch (e) {
  if (!stop.signal.aborted) {
    if (!isSdkFault(e)) throw e;
    const why = `${e.status} ${e.code}: ${e.message}`;
    console.error(e.status === 0 ? `no hub answers at ${url} (${e.message}): start one, or set SIMPUL_URL` : why);
    process.exitCode = 1;
  }
} finally {
  await reader.close();
}
