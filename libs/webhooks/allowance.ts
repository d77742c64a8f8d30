import { readOpenNetworks, type Network, type OpenNetwork } from '#networks';

/** The networks that the webhooks of an owner may reach beside public addresses. */
export interface Allowed {
  /** The same for owners who may reach the same. */
  readonly key: string;
  readonly networks: readonly Network[];
}

/** What an operator has opened: for all, and for the units below one (SIMPUL_WEBHOOK_ALLOW). */
export class Allowance {
  readonly #entries: readonly OpenNetwork[];
  readonly #above: (unit: string) => ReadonlySet<string>;
  readonly #forAll: Allowed;
  readonly #isShared: boolean;
  readonly #known = new Map<string, Allowed>();

  /** `above`: the units above one, now. Throws a TypeError for an entry that is none. */
  constructor(entries: readonly string[], above: (unit: string) => ReadonlySet<string>) {
    const read = readOpenNetworks(entries.join(','));
    if (!read.ok) throw new TypeError(read.reason.in('en'));
    this.#entries = read.networks;
    this.#above = above;
    this.#forAll = {
      key: '',
      networks: this.#entries.filter(({ unit }) => unit === undefined).map(({ network }) => network),
    };
    this.#isShared = this.#forAll.networks.length === this.#entries.length;
  }

  /** undefined: nobody's. By the unit tree of now. */
  of(owner: string | undefined): Allowed {
    if (this.#isShared || owner === undefined) return this.#forAll;
    const above = this.#above(owner);
    const own = this.#entries.filter(({ unit }) => unit === owner || (unit !== undefined && above.has(unit)));
    if (own.length === 0) return this.#forAll;
    const key = own.map((entry) => this.#entries.indexOf(entry)).join();
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { key, networks: [...this.#forAll.networks, ...own.map(({ network }) => network)] };
      this.#known.set(key, known);
    }
    return known;
  }
}
