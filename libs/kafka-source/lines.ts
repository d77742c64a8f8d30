import type { Text } from '#faults';
import { faultOfKafka } from './faults.js';
import type { KafkaOptions, OutOfRange } from './options.js';
import { texts } from './texts.js';

/** What a source tells while it runs: to the report of its options, or else as a line on stderr. */
export class Lines {
  readonly #options: KafkaOptions;

  constructor(options: KafkaOptions) {
    this.#options = options;
  }

  damaged(position: string): void {
    const { report } = this.#options;
    if (report?.damaged) report.damaged(position);
    else this.#print(texts.damaged({ position }));
  }

  schemaMissing(position: string, schemaId: number): void {
    const { report } = this.#options;
    if (report?.schemaMissing) report.schemaMissing(position, schemaId);
    else this.#print(texts.schema_missing({ position, schemaId }));
  }

  outOfRange(found: OutOfRange): void {
    const { report } = this.#options;
    if (report?.outOfRange) report.outOfRange(found);
    else this.#print(texts.out_of_range({ ...found }));
  }

  unreachable(cause: unknown): void {
    const { report } = this.#options;
    const fault = faultOfKafka(cause, this.#options);
    if (report?.unreachable) report.unreachable(fault);
    else this.#print(texts.unreachable({ what: fault.text }));
  }

  reachable(): void {
    const { report } = this.#options;
    if (report?.reachable) report.reachable();
    else this.#print(texts.reachable());
  }

  #print(text: Text): void {
    process.stderr.write(`kafka ${this.#options.group}: ${text.in(this.#options.language ?? 'en')}\n`);
  }
}
