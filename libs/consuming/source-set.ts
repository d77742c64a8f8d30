import { deferred } from '#concurrency';
import { readyMsOf, type EventSource, type Interest, type Sink } from './port.js';

/** A source with its name in a set. */
export interface NamedSource {
  /** Put before the feeds of the source: `su00123/imigrasi.paspor`. The same after a restart; without `/`. Several sources may have one name if their feeds differ. */
  readonly name: string;
  readonly source: EventSource;
  /** Only these of the types that have a handler. @default all of them */
  readonly types?: readonly string[];
}

export interface SourceSetOptions {
  /** A source can never go on; the others do. @default the set ends with the fault of the source, and so does the consumer */
  readonly failed?: (name: string, fault: unknown) => void;
}

interface Running {
  readonly sink: Sink;
  readonly interest: Interest;
}

/**
 * Several sources for one consumer: a process that reads with several keys, or over HTTP and from Kafka. Each keeps its order, its places and its backpressure; a handler
 * finds the name of the source before the first `/` of `context.feed`. A source over HTTP needs `places` of its own, because it names them by stream. Group, inbox and
 * dead letters are those of the consumer: an event that two sources give has its `idempotent()` effect once.
 */
export class SourceSet implements EventSource {
  readonly #options: SourceSetOptions;
  readonly #sources: NamedSource[] = [];
  readonly #works: Promise<void>[] = [];
  readonly #readies: Promise<unknown>[] = [];
  readonly #ended = deferred<void>();
  #running: Running | undefined;
  #tell: ((line: string) => void) | undefined;
  #stopping: Promise<void> | undefined;

  constructor(sources: Iterable<NamedSource> = [], options: SourceSetOptions = {}) {
    this.#options = options;
    this.#ended.promise.catch(() => undefined);
    for (const named of sources) this.add(named);
  }

  /** Adds a source, also while the set runs. After stop() it is never begun. Throws `RangeError` for a name with `/` in it. */
  add(named: NamedSource): void {
    if (named.name.includes('/'))
      throw new RangeError(
        `a source is named without "/", because its name ends there in the names of feeds: ${named.name}`,
      );
    if (this.#stopping !== undefined) return;
    this.#sources.push(named);
    if (this.#tell !== undefined) named.source.tellTo?.(this.#tell);
    if (this.#running !== undefined) this.#works.push(this.#work(named, this.#running));
  }

  tellTo(tell: (line: string) => void): void {
    this.#tell = tell;
    for (const { source } of this.#sources) source.tellTo?.(tell);
  }

  /** Works until stop(), also without sources. Rejects with what a source rejects with, unless `failed` takes it. */
  async run(sink: Sink, interest: Interest): Promise<void> {
    this.#running = { sink, interest };
    for (const named of this.#sources) this.#works.push(this.#work(named, this.#running));
    await this.#ended.promise;
    await Promise.all(this.#works);
  }

  /** Of the sources that it has begun until now; one that has ended, or was never begun for want of types, is not waited for. */
  async ready(): Promise<void> {
    await Promise.all(this.#readies);
  }

  get readyMs(): number {
    return Math.max(0, ...this.#sources.map(({ source }) => readyMsOf(source)));
  }

  stop(): Promise<void> {
    return (this.#stopping ??= (async () => {
      await Promise.all(this.#sources.map(({ source }) => source.stop()));
      await Promise.all(this.#works);
      this.#ended.resolve();
    })());
  }

  async #work({ name, source, types }: NamedSource, { sink, interest }: Running): Promise<void> {
    const wanted = types === undefined ? interest.types : interest.types.filter((type) => types.includes(type));
    if (wanted.length === 0) return;
    const named: Sink = {
      deliver: (batch) => sink.deliver({ ...batch, feed: `${name}/${batch.feed}` }),
      revoke: (feed, withinMs) => sink.revoke(`${name}/${feed}`, withinMs),
    };
    let fault: unknown;
    try {
      const ran = source.run(named, { ...interest, types: wanted });
      this.#readies.push(Promise.race([source.ready?.(), ran]).catch(() => undefined));
      await ran;
      fault = new Error(`the source ${name} has ended by itself`);
    } catch (cause) {
      fault = cause;
    }
    if (this.#stopping !== undefined) return;
    if (this.#options.failed === undefined) this.#ended.reject(fault);
    else this.#options.failed(name, fault);
  }
}
