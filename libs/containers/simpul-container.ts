import { AbstractStartedContainer, GenericContainer, Wait, type StartedTestContainer } from 'testcontainers';

/** The image of this release; `docs/how-to/run-in-a-container.md` says how it is built. Another registry or tag: `new SimpulContainer(image)`. */
export const SIMPUL_IMAGE = 'simpul:0.1.0';

const PORT = 8080;
const DATA = '/data';
const START_MS = 60_000;

/** What `createKey` asks the hub for. */
export interface NewKey {
  /** `SU…`, `EXT-…` or `hub`. */
  readonly unit: string;
  /** Name of the system that uses the key. */
  readonly system: string;
  readonly roles: readonly ('publisher' | 'reader' | 'operator' | 'steward' | 'admin')[];
}

/**
 * A hub in a container, for the tests of a unit system: the embedded engine, an empty log, the contracts and units of the release. Ready when every door
 * works (`GET /health/ready` answers 200), within 60 s. Needs a Docker engine; without one `start()` rejects with the words of testcontainers.
 *
 * ```ts
 * const hub = await new SimpulContainer().start();
 * const key = await hub.createKey({ unit: 'SU00743', system: 'perlintasan', roles: ['publisher', 'reader'] });
 * ```
 */
export class SimpulContainer extends GenericContainer {
  constructor(image: string = SIMPUL_IMAGE) {
    super(image);
    this.withExposedPorts(PORT)
      // Inside the container the hub must listen on the address that Docker forwards to.
      .withEnvironment({ SIMPUL_HOST: '0.0.0.0', SIMPUL_PORT: String(PORT), SIMPUL_DATA: DATA })
      .withWaitStrategy(Wait.forHttp('/health/ready', PORT).forStatusCode(200))
      .withStartupTimeout(START_MS);
  }

  /** Runs the hub on Kafka and Redis that the container reaches under these addresses, instead of the embedded engine. */
  withKafka(options: { readonly brokers: string; readonly redis: string; readonly prefix?: string }): this {
    return this.withEnvironment({
      SIMPUL_ENGINE: 'kafka',
      SIMPUL_KAFKA: options.brokers,
      SIMPUL_REDIS: options.redis,
      ...(options.prefix === undefined ? {} : { SIMPUL_KAFKA_PREFIX: options.prefix }),
    });
  }

  override async start(): Promise<StartedSimpulContainer> {
    return new StartedSimpulContainer(await super.start());
  }
}

/** A hub that answers. `stop()` ends it and removes the container with its data. */
export class StartedSimpulContainer extends AbstractStartedContainer {
  #adminKey: Promise<string> | undefined;

  constructor(started: StartedTestContainer) {
    super(started);
  }

  /** Address of the hub, as the tests reach it. */
  getUrl(): string {
    return `http://${this.getHost()}:${this.getMappedPort(PORT)}`;
  }

  /** The key of the hub-wide administrator, which the hub made at its first start. */
  getAdminKey(): Promise<string> {
    return (this.#adminKey ??= this.#readAdminKey());
  }

  /** Makes an API key for a unit. Rejects with status, code and detail of the hub when the hub refuses it. */
  async createKey({ unit, system, roles }: NewKey): Promise<string> {
    const answer = await fetch(`${this.getUrl()}/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await this.getAdminKey()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ unit, system, roles }),
    });
    const made = (await answer.json()) as { readonly key?: string; readonly code?: string; readonly detail?: string };
    if (made.key === undefined)
      throw new Error(`no key: ${answer.status} ${made.code ?? ''} ${made.detail ?? ''}`.trim());
    return made.key;
  }

  async #readAdminKey(): Promise<string> {
    const { exitCode, output } = await this.exec(['cat', `${DATA}/admin.key`]);
    if (exitCode !== 0) throw new Error(`no admin key in the container: ${output.trim()}`);
    return output.trim();
  }
}
