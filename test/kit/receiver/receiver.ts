import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { verifyWebhook } from '#standard-webhooks';
import { random } from '../random.js';
import { write } from './answer.js';
import { eventsOf } from './events.js';
import { Script, type Received, type Rule } from './script.js';

export interface ReceiverOptions {
  /** `whsec_…` or `whpk_…`; without any, signatures are not looked at. */
  readonly keys?: readonly string[];
  /** A file to which each request is appended as one line of JSON before it is answered. */
  readonly history?: string;
  /** Rules from the start on. @default none */
  readonly rules?: readonly Rule[];
  /** @default a free one */
  readonly port?: number;
  /** Of the rules with `chance`. @default 1 */
  readonly seed?: number;
  /** Answers the CloudEvents handshake (OPTIONS) with this header; without it 405. */
  readonly allowedOrigin?: string;
  /** false: requests are counted only, for measurements; rules may look at path, try and time. @default true */
  readonly record?: boolean;
}

/** A receiver of webhooks that does what its rules say, and remembers what came in. */
export class WebhookReceiver {
  readonly #options: ReceiverOptions;
  readonly #script: Script;
  readonly #server = createServer((req, res) => this.#take(req, res));
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  #keys: readonly string[];
  #port: number;
  #received: Received[] = [];
  #requests = 0;
  #connections = 0;

  private constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#keys = options.keys ?? [];
    this.#port = options.port ?? 0;
    this.#script = new Script(random(options.seed ?? 1));
    this.#script.set(options.rules ?? []);
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket: Socket) => {
      this.#connections += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(options: ReceiverOptions = {}): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(options);
    await receiver.up();
    return receiver;
  }

  /** Where webhooks go; any path will do. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** What came in, in the order of arrival. */
  get received(): readonly Received[] {
    return this.#received;
  }

  /** Requests that came in whole, also when they are not recorded. */
  get requests(): number {
    return this.#requests;
  }

  /** Connections: open now, and made in all. */
  get connections(): { readonly open: number; readonly made: number } {
    return { open: this.#sockets.size, made: this.#connections };
  }

  /** Takes the place of all rules before, and begins their times and counts anew. */
  rules(rules: readonly Rule[]): void {
    this.#script.set(rules);
  }

  keys(keys: readonly string[]): void {
    this.#keys = keys;
  }

  forget(): void {
    this.#received = [];
    this.#requests = 0;
  }

  /** Resolves when the condition holds, looked at after each request. */
  async until(condition: (received: readonly Received[]) => boolean): Promise<void> {
    while (!condition(this.#received)) await new Promise<void>((done) => this.#waiting.add(done));
  }

  /** Cuts every connection and refuses new ones. */
  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
    this.#sockets.clear();
  }

  /** Listens again, at the same port. */
  async up(): Promise<void> {
    if (this.#server.listening) return;
    await new Promise<void>((done, fail) => {
      this.#server.once('error', fail);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', fail);
        done();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    return this.down();
  }

  #take(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    req.on('error', () => undefined);
    res.on('error', () => undefined);
    req.on('data', (c: Buffer) => chunks.push(c));
    req.on('end', () => this.#answer(req, res, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  }

  #answer(req: IncomingMessage, res: ServerResponse, body: Buffer): void {
    const { allowedOrigin, record, history } = this.#options;
    if (req.method === 'OPTIONS') {
      if (allowedOrigin === undefined) res.writeHead(405).end();
      else res.writeHead(200, { 'webhook-allowed-origin': allowedOrigin, 'webhook-allowed-rate': '120' }).end();
      return;
    }
    this.#requests += 1;
    const path = req.url ?? '/';
    const tried = Number(req.headers['simpul-try'] ?? 0);
    if (record === false) {
      if (this.#script.isEmpty) res.writeHead(204).end();
      else write(res, this.#script.answerTo({ path, try: tried, events: [] }));
      return;
    }
    const events = eventsOf(req.headers, body);
    const answer = this.#script.answerTo({ path, try: tried, events });
    const received: Received = {
      n: this.#received.length,
      at: Date.now(),
      path,
      id: String(req.headers['webhook-id'] ?? ''),
      try: tried,
      subscription: req.headers['simpul-subscription'] as string | undefined,
      verified: this.#keys.length === 0 ? undefined : verifyWebhook({ headers: req.headers, body }, this.#keys).ok,
      events,
      answer:
        answer.hang || answer.trickleMs !== undefined
          ? 'hang'
          : answer.reset
            ? 'reset'
            : (answer.status ?? (answer.redirect ? 302 : 204)),
    };
    this.#received.push(received);
    if (history !== undefined) appendFileSync(history, `${JSON.stringify(received)}\n`);
    write(res, answer);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const done of waiting) done();
  }
}
