import type { UnitRow } from '#sdk';
import type { Office } from './office.js';

/** The offices that have a key, by owner, code and type. */
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

  /** By owner: `SU…` or `EXT-…`. */
  find(owner: string): Office | undefined {
    return this.#byOwner.get(owner);
  }

  /** By unit code. Throws when there is no key for it: the day cannot run without this office. */
  need(code: string): Office {
    const office = this.#byCode.get(code);
    if (office === undefined) throw new Error(`no key for ${code}`);
    return office;
  }

  /** Offices of these unit types; `party` for parties outside the ministry. */
  type(...types: string[]): readonly Office[] {
    return types.flatMap((t) => this.#byType.get(t) ?? []);
  }

  get prisons(): readonly Office[] {
    return this.type('lapas', 'rutan', 'lpka');
  }

  /** Id of the regional office (kanwil) above a unit, over any number of levels: the parent of a checkpoint is a kanim. */
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
