/** The projector with one view, from the first record of the stream into an empty store for each round. argv: brokers prefix redis view. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OWNERS_SPEC } from '#log';
import { openKafkaLog } from '#log-kafka';
import { compileView, openProjector, parseView, type GenerationRow, type Generations } from '#projection';
import { openCopies } from '#duplicates';
import { openRedisState } from '#state-redis';
import { serve } from './child.js';
import { catalogueOfFiles, SCHEMAS } from './contracts.js';

export interface FoldRequest {
  /** Prefix of the store of this round. */
  readonly round: string;
  /** Number of events to fold. */
  readonly events: number;
}

const [brokers = '', prefix = '', redis = '', viewName = ''] = process.argv.slice(2);
const catalogue = catalogueOfFiles();
const view = compileView(parseView(readFileSync(join(SCHEMAS, 'views', `${viewName}.view.json`), 'utf8')), catalogue);
const log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'bench-projector', prefix });
await log.ensureTopic(OWNERS_SPEC);

class RowsInMemory implements Generations {
  readonly #rows = new Map<string, GenerationRow>();
  row(name: string): GenerationRow | undefined {
    return this.#rows.get(name);
  }
  change(name: string, decide: (row: GenerationRow | undefined) => GenerationRow | undefined) {
    const next = decide(this.#rows.get(name));
    if (next) this.#rows.set(name, next);
    return Promise.resolve(this.#rows.get(name));
  }
  onChange(): () => void {
    return () => undefined;
  }
}

serve<FoldRequest>(async ({ round, events }) => {
  const state = await openRedisState({ url: redis, prefix: round });
  const copies = await openCopies(log);
  let folded = 0;
  let began = 0;
  let enough: () => void = () => undefined;
  let broken: (cause: unknown) => void = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    enough = resolve;
    broken = reject;
  });
  const streams = catalogue.streams().filter((s) => view.streams.includes(s.name));
  const projector = await openProjector({
    log,
    state,
    catalogue: {
      newest: (t) => catalogue.newest(t),
      version: (t, v) => catalogue.version(t, v),
      versions: (t) => catalogue.versions(t),
      bySchemaId: (id) => catalogue.bySchemaId(id),
      types: () => catalogue.types(),
      stream: (n) => catalogue.stream(n),
      streams: () => streams,
    },
    views: [view],
    generations: new RowsInMemory(),
    copies,
    now: Date.now,
    report: {
      folded: (_view, _storage, _part, _next, count) => {
        folded += count;
        if (folded >= events) enough();
      },
      badRecord: (record) => broken(new Error(`a record that cannot be read: ${record.code}`)),
    },
  });
  // The clock starts when the index has passed the first batch. onEnd() would be silent: earlier rounds have left the ends of the whole stream.
  const settle = copies.settle.bind(copies);
  copies.settle = (...args) => {
    began ||= performance.now();
    settle(...args);
  };
  await projector.join();
  await done;
  const seconds = (performance.now() - began) / 1000;
  await projector.close();
  await copies.close();
  await state.close();
  return { events: folded, seconds };
});
