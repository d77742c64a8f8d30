// Preloaded into a hub process by specs of faults (NODE_OPTIONS=--import, see fleet.ts). It tells each attempt to deliver before it starts, and kills the process
// (SIGKILL) before or after one append to the control topics of couriers, when the spec asks for it.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const { TOLD_SENDS: sends, TOLD_KILL: kill } = process.env;
const port = Number(process.env.SIMPUL_PORT);
const COURIER_TOPICS = new Set(['_simpul.lanes', '_simpul.attempts', '_simpul.cursors']);

const die = () => {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
};

globalThis.toldSender = (sender) => {
  const { send } = sender.prototype;
  sender.prototype.send = function (endpoint, message, signal) {
    const { id, subscription, events } = message;
    const positions = events.map(({ position }) => position);
    appendFileSync(
      sends,
      `${JSON.stringify({ pid: process.pid, port, at: Date.now(), id, subscription, try: message.try, positions })}\n`,
    );
    return send.call(this, endpoint, message, signal);
  };
};

/** While the file is there, steps are counted for each topic, from 1; it holds `<topic> <number> before|after`. Each step is a line of `<file>.steps`. */
let steps = new Map();
let armedWith = '';
globalThis.toldLog = (log) => {
  const { append } = log.prototype;
  log.prototype.append = async function (topic, partition, records, ...rest) {
    if (!COURIER_TOPICS.has(topic) || !existsSync(kill)) return append.call(this, topic, partition, records, ...rest);
    const armed = readFileSync(kill, 'utf8');
    if (armed !== armedWith) {
      armedWith = armed;
      steps = new Map();
    }
    const step = (steps.get(topic) ?? 0) + 1;
    steps.set(topic, step);
    const kinds = records.map(
      ({ key, value }) => `${key?.toString().split('/')[1] ?? ''}${value === null ? '-' : '+'}`,
    );
    const at = (when) => armed === `${topic} ${step} ${when}`;
    const line = at('before') ? ', killed before' : at('after') ? ', killed after' : '';
    appendFileSync(`${kill}.steps`, `${topic} ${step}: ${[...new Set(kinds)].join()}${line}\n`);
    if (at('before')) die();
    const outcome = await append.call(this, topic, partition, records, ...rest);
    if (at('after')) die();
    return outcome;
  };
};

const TOLD = [
  ...(sends === undefined ? [] : [['/webhooks/sender.js', 'globalThis.toldSender(WebhookSender);']]),
  ...(kill === undefined
    ? []
    : [
        ['/log-embedded/log.js', 'globalThis.toldLog(FileLog);'],
        ['/log-kafka/log.js', 'globalThis.toldLog(KafkaLog);'],
      ]),
];
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const line = TOLD.find(([end]) => url.endsWith(`/dist/libs${end}`))?.[1];
    return line === undefined ? loaded : { ...loaded, source: `${loaded.source}\n${line}` };
  },
});
