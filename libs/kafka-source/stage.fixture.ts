import type { KafkaHub } from '../../test/kit/kafka-hub.js';
import { kafka, type KafkaOptions, type KafkaSource } from './index.js';
import { TestSink } from './sink.fixture.js';

export const UNIT = 'SU00123';
export const TYPE = 'imigrasi.paspor.diterbitkan';
export const STREAM = 'imigrasi.paspor';

/** Sources that a case runs until stop(). */
export class RunningSources {
  readonly #opened: { source: KafkaSource; ran: Promise<unknown> }[] = [];

  /** `ran` resolves with the fault that ended it. `until` rejects with it. */
  start(options: KafkaOptions, sink = new TestSink(), types: readonly string[] = [TYPE]) {
    const source = kafka(options);
    const ran = this.keep(
      source,
      source.run(sink, { types }).catch((error: unknown) => error),
    );
    const until = (isSo: () => boolean): Promise<void> =>
      Promise.race([sink.until(isSo), ran.then((fault) => Promise.reject(fault as Error))]);
    return { source, sink, ran, until };
  }

  /** One that somebody else runs. */
  keep(source: KafkaSource, ran: Promise<unknown>): Promise<unknown> {
    this.#opened.push({ source, ran });
    return ran;
  }

  async stop(): Promise<void> {
    for (const { source, ran } of this.#opened.splice(0)) {
      await source.stop();
      await ran;
    }
  }
}

/** An event of the type as the hub shows it to a publisher. */
export async function sampleOf({ url }: KafkaHub, key: string): Promise<{ readonly data: object }> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${url}/v1/event-types/${TYPE}/sample?seed=1`, { headers });
  return (await answer.json()) as { data: object };
}
