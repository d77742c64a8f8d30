import { createInterface } from 'node:readline';
import type { EventLog } from '#log';
import { openOwnedTable, openTable } from '../index.js';
import { COUNTER, NOTES } from './rows.js';

/** A command of the parent process, one JSON line each. Every `add`, `put` and `get` is answered by one line. */
interface Command {
  /** The next write stops before it reaches the log, prints `held` and waits for `go`. */
  readonly hold?: true;
  readonly go?: true;
  /** Fenced: adds one to the counter. Answers its new value. */
  readonly add?: true;
  /** Owned: writes this text under the epoch. Answers the fault code, or `ok`. */
  readonly put?: string;
  /** Answers the row as this process sees it after a refresh. */
  readonly get?: true;
}

const { module, open, options, command, argument } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly module: string;
  readonly open: string;
  readonly options: unknown;
  readonly command: 'fenced' | 'owned';
  readonly argument: { readonly topic: string; readonly epoch?: number };
};
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

let held = false;
let go: () => void = () => undefined;
async function gate(): Promise<void> {
  if (!held) return;
  held = false;
  const opened = new Promise<void>((resolve) => {
    go = resolve;
  });
  say('held');
  await opened;
}

/** A log whose writes can be held back. The table has already made its decision when a write is held. */
function gated(log: EventLog): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'append')
        return async (...args: Parameters<EventLog['append']>) => {
          if (args[0] === argument.topic) await gate();
          return target.append(...args);
        };
      if (name === 'claim')
        return async (topic: string) => {
          const writer = await target.claim(topic);
          const write = async (records: Parameters<typeof writer.write>[0]) => {
            await gate();
            return writer.write(records);
          };
          return { topic, write, release: () => writer.release() };
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const room = (await import(module)) as Record<string, (options: unknown) => Promise<EventLog>>;
const log = gated(await room[open]!(options));
const { topic } = argument;

let answer: (command: Command) => Promise<unknown>;
if (command === 'fenced') {
  const table = await openTable({ log, topic, ...COUNTER });
  answer = async ({ add }) => {
    if (add)
      return table.write((rows) => {
        const n = (rows.get('n') ?? 0) + 1;
        return { changes: [{ key: 'n', row: n }], result: n };
      });
    await table.refresh();
    return table.get('n');
  };
} else {
  const table = await openOwnedTable({ log, topic, ...NOTES });
  const epoch = BigInt(argument.epoch ?? 0);
  answer = async ({ put }) => {
    if (put !== undefined)
      return table.write([{ key: 'k', row: put, epoch }]).then(
        () => 'ok',
        (e: unknown) => (e as { code?: string }).code ?? String(e),
      );
    await table.refresh();
    return table.get('k');
  };
}
say('open');
createInterface({ input: process.stdin }).on('line', (line) => {
  const received = JSON.parse(line) as Command;
  if (received.hold) held = true;
  if (received.go) go();
  if (received.add || received.put !== undefined || received.get) void answer(received).then(say);
});
