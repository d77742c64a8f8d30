import { createInterface } from 'node:readline';
import type { EventLog, Writer } from '../index.js';

interface Order {
  readonly module: string;
  readonly open: string;
  readonly options: unknown;
  readonly command: 'append' | 'write';
  readonly argument: { readonly topic: string; readonly batch: number; readonly run: number };
}

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const room = (await import(order.module)) as Record<string, (options: unknown) => Promise<EventLog>>;
const log = await room[order.open]!(order.options);
const { topic } = order.argument;
const writeLine = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const record = (key: string, value: string): { key: Buffer; value: Buffer; headers: [] } => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: [],
});

if (order.command === 'append') {
  // appends until it is killed, and writes a line for each accepted batch
  for (let n = 0; ; n++) {
    const records = Array.from({ length: order.argument.batch }, (_, i) =>
      record(`k${i}`, `${order.argument.run}/${n}/${i}`),
    );
    const done = await log.append(topic, 0, records);
    if (done.kind === 'accepted') writeLine({ n, base: String(done.base) });
  }
} else {
  let writer: Writer | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    const ask = JSON.parse(line) as { claim?: true; write?: string };
    if (ask.claim) {
      writer = await log.claim(topic);
      writeLine({ kind: 'claimed' });
    } else if (ask.write !== undefined && writer) {
      writeLine({ kind: (await writer.write([record('k', ask.write)])).kind });
    }
  }
  await log.close();
}
