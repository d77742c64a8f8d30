import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ReadEvent } from '#sdk';
import { verifyWebhook } from '#standard-webhooks';

/** One delivery whose signature fits. */
export interface Delivery {
  readonly event: ReadEvent;
  /** The same at every try. */
  readonly webhookId: string;
}

export interface ReceiverOptions {
  /** Does what the office does with an event, and resolves with the status of the answer. */
  readonly take: (delivery: Delivery) => Promise<number>;
}

/** The address of one office for webhooks: a port of this machine. */
export class WebhookReceiver {
  readonly #take: ReceiverOptions['take'];
  readonly #server = createServer((req, res) => this.#receive(req, res));
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #secret = '';

  constructor({ take }: ReceiverOptions) {
    this.#take = take;
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/peristiwa`;
  }

  /** With what its webhooks are signed. */
  set secret(secret: string) {
    this.#secret = secret;
  }

  /** Listens, after down() at the same port as before. */
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

  /** Cuts every connection and refuses new ones. */
  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #receive(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = [];
    // A connection that is cut has nobody to answer to.
    req.on('error', () => undefined);
    res.on('error', () => undefined);
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks);
      const verified = this.#secret === '' ? undefined : verifyWebhook({ headers: req.headers, body }, this.#secret);
      if (verified?.ok !== true) {
        res.writeHead(401).end();
        return;
      }
      const delivery = { event: JSON.parse(body.toString()) as ReadEvent, webhookId: verified.id };
      // The app has ended: the hub tries again later.
      void this.#take(delivery)
        .catch(() => 503)
        .then((status) => res.writeHead(status).end());
    });
  }
}
