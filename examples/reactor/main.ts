import { isSdkFault, subscribe, type ReadEvent } from '@simpul/sdk';

const url = process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080';
const key = process.env['SIMPUL_KEY'] ?? '';

/** A prison with more people than places. After a crash an event may come again: `position` says that it is the same. */
function check(e: ReadEvent): void {
  const held = Number(e.data['jumlahTahanan']) + Number(e.data['jumlahNarapidana']) + Number(e.data['jumlahAnak']);
  const places = Number(e.data['kapasitas']);
  if (held > places) console.log(`${String(e.data['unit'])}: ${held} in ${places} places (${e.position})`);
}

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
try {
  const running = await subscribe({
    url,
    key,
    name: 'penuh',
    types: ['pas.hunian.*'],
    start: 'earliest',
    handler: check,
    startDeadlineMs: 5_000,
    signal: stop.signal,
  });
  await running.done;
} catch (e) {
  if (!stop.signal.aborted) {
    if (!isSdkFault(e)) throw e;
    const why = `${e.status} ${e.code}: ${e.message}`;
    console.error(e.status === 0 ? `no hub answers at ${url} (${e.message}): start one, or set SIMPUL_URL` : why);
    process.exitCode = 1;
  }
}
