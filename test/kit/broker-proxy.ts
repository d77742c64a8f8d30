import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Line {
  readonly client: Socket;
  readonly broker: Socket;
  /** Held bytes, client to broker and back. */
  readonly up: Buffer[];
  readonly down: Buffer[];
  frozen: boolean;
  clientGone: boolean;
  /** Bytes that the broker has sent since the line was frozen. */
  answered: number;
}

/** A TCP line between clients and one broker that can go dead without closing, as a firewall or a paused machine makes it. */
export class BrokerProxy {
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  #held = false;
  #target = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async open(): Promise<BrokerProxy> {
    // half open: what the client wrote before it closed its end still reaches the broker
    const server = createServer({ allowHalfOpen: true });
    const proxy = new BrokerProxy(server);
    server.on('connection', (client) => proxy.#forward(client));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where the connections go to. */
  set target(port: number) {
    this.#target = port;
  }

  /** From now on no byte passes, in no direction; connections are taken and stay silent. */
  hold(): void {
    this.#held = true;
  }

  /** Bytes pass again, first those that were held. */
  open(): void {
    this.#held = false;
    for (const line of this.#lines) this.#flush(line);
  }

  /** The connections of now hold what clients send; connections that come later pass. */
  freeze(): void {
    for (const line of this.#lines) Object.assign(line, { frozen: true, answered: 0 });
  }

  /** What frozen connections held goes to the broker, also when their client has gone. Answers the lines, so that a test sees when the broker has answered. */
  thaw(): readonly { readonly answered: number }[] {
    const lines = [...this.#lines].filter((line) => line.frozen && line.up.length > 0);
    for (const line of this.#lines) {
      line.frozen = false;
      this.#flush(line);
    }
    return lines;
  }

  close(): Promise<void> {
    for (const { client, broker } of this.#lines) {
      client.destroy();
      broker.destroy();
    }
    return new Promise((done) => this.#server.close(() => done()));
  }

  #forward(client: Socket): void {
    const broker = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    const line: Line = { client, broker, up: [], down: [], frozen: false, clientGone: false, answered: 0 };
    this.#lines.add(line);
    client.setNoDelay(true);
    broker.setNoDelay(true);
    client.on('data', (bytes) => {
      line.up.push(bytes);
      this.#flush(line);
    });
    broker.on('data', (bytes) => {
      line.answered += bytes.length;
      line.down.push(bytes);
      this.#flush(line);
    });
    const gone = (): void => {
      line.clientGone = true;
      this.#flush(line);
    };
    client.on('end', gone).on('close', gone).on('error', gone);
    broker.on('error', () => undefined).on('end', () => client.end());
    broker.on('close', () => {
      this.#lines.delete(line);
      client.destroy();
    });
  }

  #flush(line: Line): void {
    if (this.#held) return;
    for (const bytes of line.down.splice(0)) if (!line.client.destroyed) line.client.write(bytes);
    if (line.frozen) return;
    for (const bytes of line.up.splice(0)) line.broker.write(bytes);
    if (line.clientGone) line.broker.end();
  }
}
