import type { Text } from '#faults';
import { faultOfKafka } from './faults.js';
import type { KafkaOptions, OutOfRange } from './options.js';
import { rangeText, texts } from './texts.js';

/** An event whose schema is not in the registry. */
export interface MissingSchema {
  readonly position: string;
  readonly schemaId: number;
}

/** What a source tells while it runs: to the report of its options, or else as a line. */
export class Lines {
  readonly #options: KafkaOptions;
  tell = (line: string): void => void process.stderr.write(`${line}\n`);

  constructor(options: KafkaOptions) {
    this.#options = options;
  }

  damaged(position: string): void {
    const { report } = this.#options;
    if (report?.damaged) report.damaged(position);
    else this.#print(texts.damaged({ position }));
  }

  schemaMissing({ position, schemaId }: MissingSchema): void {
    const { report } = this.#options;
    if (report?.schemaMissing) report.schemaMissing(position, schemaId);
    else this.#print(texts.schema_missing({ position, schemaId }));
  }

  schemaFound(): void {
    const { report } = this.#options;
    if (report?.schemaFound) report.schemaFound();
    else this.#print(texts.schema_found());
  }

  hubSilent(position: string): void {
    const { report } = this.#options;
    if (report?.hubSilent) report.hubSilent(position);
    else this.#print(texts.hub_silent({ position }));
  }

  hubBack(): void {
    const { report } = this.#options;
    if (report?.hubBack) report.hubBack();
    else this.#print(texts.hub_back());
  }

  outOfRange(found: OutOfRange): void {
    const { report } = this.#options;
    if (report?.outOfRange) report.outOfRange(found);
    else this.#print(rangeText(found));
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
    this.tell(`kafka ${this.#options.group}: ${text.in(this.#options.language ?? 'en')}`);
  }
}
