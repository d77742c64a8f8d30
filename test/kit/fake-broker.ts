import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Versions that a fake broker says it serves: API key → oldest and newest. */
export type FakeApis = Record<number, readonly [oldest: number, newest: number]>;

/** What Kafka 4 serves of the requests that a fake broker can answer, and of those that the hub only looks for. */
export const KAFKA_4: FakeApis = {
  0: [0, 13],
  1: [4, 17],
  2: [1, 10],
  3: [0, 12],
  10: [0, 6],
  11: [2, 9],
  18: [0, 3],
  19: [2, 7],
  22: [0, 5],
  32: [1, 4],
};

export interface FakeRequest {
  readonly apiKey: number;
  readonly version: number;
  readonly clientId: string;
  /** Number of the connection, from 1. */
  readonly connection: number;
  /** When it came, ms of performance.now(). */
  readonly at: number;
}

/** The answer to a Produce request: for each of its partitions the same. */
export interface FakeProduced {
  readonly error?: number;
  readonly throttleMs?: number;
}

const API = {
  PRODUCE: 0,
  METADATA: 3,
  SASL_HANDSHAKE: 17,
  API_VERSIONS: 18,
  INIT_PRODUCER_ID: 22,
  SASL_AUTHENTICATE: 36,
} as const;
/** Of these, answers have no tags in their head, in the versions that clients use. */
const WITHOUT_TAGS: ReadonlySet<number> = new Set([API.API_VERSIONS, API.SASL_HANDSHAKE, API.SASL_AUTHENTICATE]);
const TOPIC_ID = Buffer.from('00000000000040008000000000000001', 'hex');
const NO_TAGS = Buffer.from([0]);

const int = (bytes: 1 | 2 | 4 | 8, value: number): Buffer => {
  const out = Buffer.alloc(bytes);
  if (bytes === 8) out.writeBigInt64BE(BigInt(value));
  else out.writeIntBE(value, 0, bytes);
  return out;
};
/** Unsigned varint of a length below 127, plus 1: compact arrays and texts of this file are short. */
const length = (n: number): Buffer => int(1, n + 1);
const text = (value: string): Buffer => Buffer.concat([length(value.length), Buffer.from(value)]);
const list = (items: readonly Buffer[]): Buffer => Buffer.concat([length(items.length), ...items]);

/**
 * A TCP server on 127.0.0.1 that answers ApiVersions, Metadata (one broker, one topic of one partition), InitProducerId, Produce and SASL PLAIN as the script says.
 * For what no real broker can be made to do: old versions, throttling, rare error codes.
 */
export class FakeBroker {
  apis: FakeApis = KAFKA_4;
  /** How long a SASL session lasts (connections.max.reauth.ms). */
  sessionMs = 0;
  /** Scripted answers to Produce, first come first; then each batch is written. */
  readonly produced: FakeProduced[] = [];
  readonly requests: FakeRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  #base = 0;

  private constructor(
    server: Server,
    readonly topic: string,
  ) {
    this.#server = server;
  }

  static async open(topic: string): Promise<FakeBroker> {
    const server = createServer();
    const broker = new FakeBroker(server, topic);
    server.on('connection', (socket) => broker.#serve(socket));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return broker;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Requests of one API, of the connections of a client id that ends so. */
  asked(apiKey: number, role = ''): readonly FakeRequest[] {
    return this.requests.filter((r) => r.apiKey === apiKey && r.clientId.endsWith(role));
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((done) => this.#server.close(() => done()));
  }

  #serve(socket: Socket): void {
    const connection = ++this.#connections;
    let rest = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const end = 4 + rest.readInt32BE(0);
        const request = rest.subarray(4, end);
        rest = rest.subarray(end);
        this.#answer(socket, connection, request);
      }
    });
  }

  #answer(socket: Socket, connection: number, request: Buffer): void {
    const apiKey = request.readInt16BE(0);
    const version = request.readInt16BE(2);
    const clientId = request.toString('utf8', 10, 10 + request.readInt16BE(8));
    this.requests.push({ apiKey, version, clientId, connection, at: performance.now() });
    const body = this.#body(apiKey, version);
    if (body === undefined) return void socket.destroy();
    const head = WITHOUT_TAGS.has(apiKey) ? [] : [NO_TAGS];
    const out = Buffer.concat([request.subarray(4, 8), ...head, body]);
    socket.write(Buffer.concat([int(4, out.length), out]));
  }

  #body(apiKey: number, version: number): Buffer | undefined {
    if (apiKey === API.API_VERSIONS) return this.#apiVersions(version);
    if (apiKey === API.METADATA) return this.#metadata();
    if (apiKey === API.INIT_PRODUCER_ID)
      return Buffer.concat([int(4, 0), int(2, 0), int(8, 4_711), int(2, 0), NO_TAGS]);
    // any password is right
    if (apiKey === API.SASL_HANDSHAKE) return Buffer.concat([int(2, 0), int(4, 1), int(2, 5), Buffer.from('PLAIN')]);
    if (apiKey === API.SASL_AUTHENTICATE)
      return Buffer.concat([int(2, 0), int(2, -1), int(4, 0), int(8, this.sessionMs)]);
    return apiKey === API.PRODUCE ? this.#produce() : undefined;
  }

  #apiVersions(version: number): Buffer {
    const told = Object.entries(this.apis).map(([key, [oldest, newest]]) =>
      Buffer.concat([int(2, Number(key)), int(2, oldest), int(2, newest)]),
    );
    const [oldest, newest] = this.apis[API.API_VERSIONS] ?? [0, 0];
    // Kafka answers a version that it does not know with version 0 and UNSUPPORTED_VERSION
    if (version < oldest || version > newest) return Buffer.concat([int(2, 35), int(4, 0)]);
    if (version < 3) return Buffer.concat([int(2, 0), int(4, told.length), ...told, int(4, 0)]);
    return Buffer.concat([int(2, 0), list(told.map((t) => Buffer.concat([t, NO_TAGS]))), int(4, 0), NO_TAGS]);
  }

  #metadata(): Buffer {
    const brokers = [Buffer.concat([int(4, 1), text('127.0.0.1'), int(4, this.#port), int(1, 0), NO_TAGS])];
    const one = list([int(4, 1)]);
    const partition = Buffer.concat([int(2, 0), int(4, 0), int(4, 1), int(4, 0), one, one, list([]), NO_TAGS]);
    const topic = [int(2, 0), text(this.topic), TOPIC_ID, int(1, 0), list([partition]), int(4, 0), NO_TAGS];
    return Buffer.concat([int(4, 0), list(brokers), text('fake'), int(4, 1), list([Buffer.concat(topic)]), NO_TAGS]);
  }

  #produce(): Buffer {
    const { error = 0, throttleMs = 0 } = this.produced.shift() ?? {};
    const base = error === 0 ? this.#base++ : -1;
    const partition = [int(4, 0), int(2, error), int(8, base), int(8, -1), int(8, 0), list([]), int(1, 0), NO_TAGS];
    const topic = Buffer.concat([text(this.topic), list([Buffer.concat(partition)]), NO_TAGS]);
    return Buffer.concat([list([topic]), int(4, throttleMs), NO_TAGS]);
  }
}
