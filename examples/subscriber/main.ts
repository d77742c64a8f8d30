import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createReader, type ReadEvent } from '#sdk';

const url = process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080';
const key = process.env['SIMPUL_KEY'] ?? '';
const placeFile = process.argv[2] ?? 'subscriber.cursor';

function place(): string | undefined {
  try {
    return readFileSync(placeFile, 'utf8');
  } catch {
    return undefined;
  }
}

/** Written whole or not at all: half a cursor would be refused. */
function keep(cursor: string): void {
  writeFileSync(`${placeFile}.new`, cursor);
  renameSync(`${placeFile}.new`, placeFile);
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
const cursor = place();
try {
  const from = cursor === undefined ? { from: 'earliest' } : { cursor };
  for await (const page of reader.pages('pas.hunian', { ...from, follow: true, signal: stop.signal })) {
    for (const e of page.events) handle(e);
    // Behind the work: after a crash the last page comes again, so handling an event twice must do no harm.
    keep(page.next);
  }
} catch (e) {
  if (!stop.signal.aborted) throw e;
} finally {
  await reader.close();
}
