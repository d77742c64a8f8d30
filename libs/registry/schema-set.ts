import { checkNewContract, checkSchema, compatibility, fingerprint } from '#avro';
import { Fault, type Problem } from '#faults';
import type { RegisteredSchema } from './records.js';
import { texts } from './texts.js';

/** Schemas by subject and by id, in memory. Ids are never used again, not even ids of deleted versions (R4.4). */
export class SchemaSet {
  readonly #subjects = new Map<string, Map<number, RegisteredSchema>>();
  readonly #byId = new Map<number, RegisteredSchema>();
  readonly #fingerprints = new Map<string, string>();
  /** Versions by subject that are taken by a record that cannot be read. */
  readonly #taken = new Map<string, number>();
  #highest: number;

  /** `highest`: an id that is known to be taken, even when its record no longer exists. */
  constructor(highest = 0) {
    this.#highest = highest;
  }

  put(s: RegisteredSchema): void {
    let versions = this.#subjects.get(s.subject);
    if (!versions) this.#subjects.set(s.subject, (versions = new Map<number, RegisteredSchema>()));
    versions.set(s.version, s);
    if (!this.#byId.has(s.id)) this.#byId.set(s.id, s);
    this.#highest = Math.max(this.#highest, s.id);
  }

  /** Forgets a version. Its id stays known by byId. */
  drop(subject: string, version: number): void {
    this.#subjects.get(subject)?.delete(version);
  }

  /**
   * A version whose record cannot be read: the version and one id above the highest known one count as taken, so that neither is used again. (Ids are given one
   * after the other, so the id in that record is at most that much higher.)
   */
  take(subject: string, version: number): void {
    this.#taken.set(subject, Math.max(version, this.#taken.get(subject) ?? 0));
    this.#highest++;
  }

  subjects(): readonly string[] {
    return [...this.#subjects.keys()].filter((s) => this.versions(s).length > 0).sort();
  }

  /** The versions of a subject in ascending order, without deleted ones. */
  versions(subject: string): readonly RegisteredSchema[] {
    return this.#all(subject).filter((s) => !s.deleted);
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#byId.get(id);
  }

  get highestId(): number {
    return this.#highest;
  }

  /**
   * Decides what happens to a schema that is offered under a subject: the subject has it already (`known`), or `entry` is its next version, with the id
   * that the schema has under another subject, else the highest id ever used plus 1. Changes nothing. Faults `invalid_schema` (also for an event type whose
   * properties are not complete, `actor` included: R10.6), `incompatible_schema`
   * (each problem names field and version).
   */
  decide(subject: string, schema: string): { readonly known: boolean; readonly entry: RegisteredSchema } {
    const same = this.versions(subject).find((s) => s.schema === schema);
    if (same) return { known: true, entry: same };
    const wrong = checkSchema(schema);
    if (wrong.length > 0) throw new Fault('invalid_schema', { detail: subject, problems: wrong });
    const print = this.#fingerprintOf(schema);
    const equal = this.versions(subject).find((s) => this.#fingerprintOf(s.schema) === print);
    if (equal) return { known: true, entry: equal };
    const missing = checkNewContract(schema);
    if (missing.length > 0) throw new Fault('invalid_schema', { detail: subject, problems: missing });
    const problems: Problem[] = [];
    for (const old of this.versions(subject))
      for (const p of compatibility(schema, old.schema, 'FULL'))
        problems.push({ ...p, reason: texts.against_version({ reason: p.reason, version: old.version }) });
    if (problems.length > 0)
      throw new Fault('incompatible_schema', { detail: subject, problems: problems.slice(0, 50) });
    const elsewhere = [...this.#byId.values()].find(
      (s) => s.schema === schema || this.#fingerprintOf(s.schema) === print,
    );
    const version = Math.max(this.#all(subject).at(-1)?.version ?? 0, this.#taken.get(subject) ?? 0) + 1;
    return {
      known: false,
      entry: { subject, version, id: elsewhere?.id ?? this.#highest + 1, schema, deleted: false },
    };
  }

  #all(subject: string): RegisteredSchema[] {
    return [...(this.#subjects.get(subject)?.values() ?? [])].sort((a, b) => a.version - b.version);
  }

  #fingerprintOf(schema: string): string {
    let print = this.#fingerprints.get(schema);
    if (print === undefined) this.#fingerprints.set(schema, (print = fingerprint(schema)));
    return print;
  }
}
