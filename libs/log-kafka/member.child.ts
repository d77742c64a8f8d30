import { openKafkaLog, type KafkaLogOptions } from './index.js';

/** A group member in a process of its own, which a test kills or pauses: writes one JSON line for every start() and every batch(). */
const order = JSON.parse(process.argv[2] ?? '{}') as { options: KafkaLogOptions; group: string; topic: string };
const writeLine = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const log = await openKafkaLog(order.options);
await log.join(order.group, [order.topic], {
  start: ({ partition, epoch }) => {
    writeLine({ kind: 'start', partition, epoch: String(epoch) });
    return Promise.resolve({ offset: 0n });
  },
  batch: ({ partition, epoch }, batch) => {
    const values = batch.records.map((r) => r.value?.toString());
    writeLine({ kind: 'batch', partition, epoch: String(epoch), values });
    return Promise.resolve({ next: batch.next });
  },
});
