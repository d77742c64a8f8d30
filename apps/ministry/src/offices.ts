import type { UnitRow } from '#sdk';
import type { Office } from './office.js';

/** The offices that have a key, by what one looks for. */
export class Offices {
  readonly #byOwner = new Map<string, Office>();
  readonly #byCode = new Map<string, Office>();
  readonly #byType = new Map<string, Office[]>();
  readonly units: ReadonlyMap<string, UnitRow>;

  constructor(units: readonly UnitRow[], offices: readonly Office[]) {
    this.units = new Map(units.map((u) => [u.id, u]));
    for (const o of offices) {
      this.#byOwner.set(o.owner, o);
      this.#byCode.set(o.unit?.code ?? o.owner, o);
      const type = o.unit?.type ?? 'party';
      this.#byType.set(type, [...(this.#byType.get(type) ?? []), o]);
    }
  }

  get all(): readonly Office[] {
    return [...this.#byOwner.values()];
  }

  /** `SU…` or `EXT-…`. */
  find(owner: string): Office | undefined {
    return this.#byOwner.get(owner);
  }

  /** By readable code; the day cannot be played without it. */
  need(code: string): Office {
    const office = this.#byCode.get(code);
    if (office === undefined) throw new Error(`no key for ${code}`);
    return office;
  }

  type(...types: string[]): readonly Office[] {
    return types.flatMap((t) => this.#byType.get(t) ?? []);
  }

  get prisons(): readonly Office[] {
    return this.type('lapas', 'rutan', 'lpka');
  }

  /** The regional office above a unit (a checkpoint hangs under a kanim). */
  kanwilOf(office: Office): string | undefined {
    let at = office.unit;
    while (at !== undefined && at.type !== 'kanwil')
      at = at.parent === undefined ? undefined : this.units.get(at.parent);
    return at?.id;
  }

  /** Offices of a type under the same regional office. */
  near(office: Office, type: string): readonly Office[] {
    const kanwil = this.kanwilOf(office);
    return this.type(type).filter((o) => this.kanwilOf(o) === kanwil);
  }
}
