import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookReceiver, type ReceiverOptions } from './receiver.js';
import type { Rule } from './script.js';

/*
 * A receiver as a process: `node main.js '<options as JSON>'`. It writes one line {"url","control"} when it listens. At `control`:
 * PUT /rules [..], PUT /keys [..], GET /received?after=n, GET /counts, POST /forget, POST /down, POST /up.
 * Control has a port of its own, so that it works while the receiver is down. The process ends when its standard input does.
 */
const receiver = await WebhookReceiver.start(JSON.parse(process.argv[2] ?? '{}') as ReceiverOptions);

type Call = (body: unknown, query: URLSearchParams) => unknown;
const CALLS: Readonly<Record<string, Call>> = {
  'PUT /rules': (body) => receiver.rules(body as Rule[]),
  'PUT /keys': (body) => receiver.keys(body as string[]),
  'GET /received': (_body, query) => receiver.received.slice(Number(query.get('after') ?? 0)),
  'GET /counts': () => ({
    requests: receiver.requests,
    recorded: receiver.received.length,
    connections: receiver.connections,
    cpuMs: Math.round((process.cpuUsage().user + process.cpuUsage().system) / 1_000),
  }),
  'POST /forget': () => receiver.forget(),
  'POST /down': () => receiver.down(),
  'POST /up': () => receiver.up(),
};

const control = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (c: Buffer) => chunks.push(c));
  req.on('end', () => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://control');
    const call = CALLS[`${req.method} ${pathname}`];
    const text = Buffer.concat(chunks).toString();
    void (async () => {
      if (call === undefined) return { status: 404 };
      return { status: 200, body: await call(text === '' ? undefined : JSON.parse(text), searchParams) };
    })()
      .catch((e: unknown) => ({ status: 400, body: String(e) }))
      .then(({ status, ...rest }) => res.writeHead(status).end(JSON.stringify(('body' in rest && rest.body) || null)));
  });
});
control.listen(0, '127.0.0.1', () => {
  const { port } = control.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: receiver.url, control: `http://127.0.0.1:${port}` })}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
