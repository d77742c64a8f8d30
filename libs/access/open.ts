import { Fault, type Problem } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change, type Decision, type Table, type TableReport } from '#table';
import type { Units } from '#units';
import type { Caller } from './access.js';
import { AUDIT_TOPIC, audited, HUB_ACTOR, type Act, type Actor } from './audit.js';
import { Authenticator } from './authenticator.js';
import { grantProblems, isHubAdmin, isInTree, type GrantRules, type RestrictedType } from './grant-rules.js';
import { adminKeyPath, readSecret, writeSecret } from './key-file.js';
import { checkKeySpec, parseKeyRow, type KeyRow, type KeySpec } from './key-rules.js';
import { hashOf, makeKey, type NewKey } from './key-text.js';

/** Keys by id, compacted. Rows of revoked keys stay, so that no later key gets the same id. */
export const KEYS_TOPIC = '_simpul.keys';
const MAX_CHANGES = 500;

/** A key as it is shown: without its hash. */
export type ShownKey = Omit<KeyRow, 'sha256'>;

/** A new key. `key` is its text: it is answered once and stored nowhere. */
export interface MadeKey extends KeySpec {
  readonly id: string;
  readonly key: string;
}

export type AdminKey =
  | { readonly kind: 'made'; readonly path: string; readonly id: string }
  /** An admin key exists; `path` is set when the file in this folder still holds a valid admin key. */
  | { readonly kind: 'exists'; readonly path: string | undefined };

export interface Access {
  /** The caller of an `Authorization` header; undefined for an unknown, malformed or revoked key. In memory; every wrong key takes the same code path. */
  authenticate(header: string | undefined): Caller | undefined;
  /**
   * A key that this actor may give: the hub any key, an admin of a unit only to its tree and without roles of the whole hub (R11.5).
   * Faults `invalid_request`, `grant_exceeds_rights`, `not_durable`.
   */
  createKey(by: Actor, spec: KeySpec, why?: string): Promise<MadeKey>;
  /** Checks all keys before the first write, then writes at most 500 keys per write. One intent and one closing audit record for all. Faults as `createKey`. */
  createKeys(by: Actor, specs: readonly KeySpec[], why?: string): Promise<readonly MadeKey[]>;
  /**
   * Idempotent: a revoked key is answered unchanged. An actor may revoke what it may give; a key outside its tree is `not_found`.
   * Faults `not_found`, `grant_exceeds_rights`, `last_admin` (the last admin key of the hub), `not_durable`.
   */
  revokeKey(by: Actor, id: string, why?: string): Promise<ShownKey>;
  /** The keys of the tree of an owner (of `hub`: all) by ascending id, also revoked ones. */
  listKeys(administrator?: string): readonly ShownKey[];
  get(id: string): ShownKey | undefined;
  /** Calls the listener once for every key that is revoked, whichever process revoked it. Answers how to stop that. */
  onRevoked(listener: (keyId: string) => void): () => void;
  /** Creates `<dir>/admin.key` (mode 0600), only when no valid admin key of the hub exists (R11.2). */
  ensureAdmin(dir: string): Promise<AdminKey>;
  /** For the operator on the hub's machine: writes a new admin key to `<dir>/admin.key` and revokes the earlier admin keys of the owner `hub` (R11.2). */
  resetAdmin(dir: string): Promise<AdminKey>;
  /** Reads the keys that other processes have written until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface AccessDeps {
  readonly log: EventLog;
  readonly units: Units;
  /** Codes of external parties that keys may be bound to. */
  readonly parties: ReadonlySet<string>;
  /** The event types that are registered now: keys of owners that a restricted type names are given by the hub only. */
  readonly types: () => readonly RestrictedType[];
  readonly now: () => number;
  readonly report?: TableReport | undefined;
}

/**
 * Opens the keys: loads the keys table, then follows it. A key whose record cannot be read is unknown, also when an earlier record of it could be read: a damaged
 * record must not undo a revocation. Fault `log_unavailable`.
 */
export async function openAccess(deps: AccessDeps): Promise<Access> {
  const { log, report } = deps;
  const authenticator = new Authenticator();
  const revocations = new Revocations();
  await log.ensureTopic({ name: AUDIT_TOPIC, partitions: 1, cleanup: 'keep' });
  const table = await openTable<KeyRow>({
    log,
    topic: KEYS_TOPIC,
    parse: (value, id) => {
      const row = parseKeyRow(value.toString(), id);
      if (!row) throw new TypeError('no row of the keys table');
      return row;
    },
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onChange: (id, row) => {
      if (row === undefined) authenticator.drop(id);
      else authenticator.put(row);
      revocations.put(id, row);
    },
    report,
  });
  return new TableAccess({ ...deps, authenticator, revocations, table });
}

/** Which keys are revoked, to report each revocation once. A deleted row counts as revoked: the key must not stay valid. */
class Revocations {
  readonly #revoked = new Set<string>();
  readonly #listeners = new Set<(keyId: string) => void>();

  put(id: string, row: KeyRow | undefined): void {
    if (row !== undefined && row.revokedAt === undefined) {
      this.#revoked.delete(id);
      return;
    }
    if (this.#revoked.has(id)) return;
    this.#revoked.add(id);
    for (const listener of this.#listeners) listener(id);
  }

  listen(listener: (keyId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

interface TableAccessDeps extends AccessDeps {
  readonly authenticator: Authenticator;
  readonly revocations: Revocations;
  readonly table: Table<KeyRow>;
}

type KeyRows = ReadonlyMap<string, KeyRow>;

class TableAccess implements Access {
  readonly #log: EventLog;
  readonly #now: () => number;
  readonly #units: Units;
  readonly #parties: ReadonlySet<string>;
  readonly #rules: GrantRules;
  readonly #authenticator: Authenticator;
  readonly #revocations: Revocations;
  readonly #table: Table<KeyRow>;

  constructor(deps: TableAccessDeps) {
    this.#log = deps.log;
    this.#now = deps.now;
    this.#units = deps.units;
    this.#parties = deps.parties;
    this.#rules = { units: deps.units, types: deps.types };
    this.#authenticator = deps.authenticator;
    this.#revocations = deps.revocations;
    this.#table = deps.table;
  }

  authenticate(header: string | undefined): Caller | undefined {
    return this.#authenticator.authenticate(header);
  }

  async createKey(by: Actor, spec: KeySpec, why?: string): Promise<MadeKey> {
    return (await this.createKeys(by, [spec], why))[0]!;
  }

  async createKeys(by: Actor, specs: readonly KeySpec[], why?: string): Promise<readonly MadeKey[]> {
    const at = (i: number): string => (specs.length > 1 ? `/${i}` : '');
    for (const [i, spec] of specs.entries()) checkKeySpec(spec, this.#units, this.#parties, at(i));
    this.#checkGrants(specs.map((spec, i) => grantProblems(by.owner, spec, this.#rules, at(i))));
    const keys = specs.map((spec) => ({ spec, key: this.#drawKey() }));
    const act = {
      who: by,
      what: 'key.create',
      target: keys.length === 1 ? keys[0]!.key.id : `${keys.length} keys`,
      why,
      after: keys.map(({ spec, key }) => ({ id: key.id, ...spec })),
    };
    await this.#audited(act, async () => {
      const rows = keys.map(({ spec, key }) => this.#newRow(key, spec, by));
      for (let at = 0; at < rows.length; at += MAX_CHANGES) await this.#insert(rows.slice(at, at + MAX_CHANGES));
    });
    return keys.map(({ spec, key }) => ({ ...spec, id: key.id, key: key.text }));
  }

  async revokeKey(by: Actor, id: string, why?: string): Promise<ShownKey> {
    const before = this.get(id);
    // A key outside the tree looks like one that does not exist.
    if (before === undefined || !isInTree(by.owner, before.owner, this.#units)) throw new Fault('not_found');
    this.#checkGrants([grantProblems(by.owner, before, this.#rules)]);
    const act = { who: by, what: 'key.revoke', target: id, why, before };
    return this.#audited(
      act,
      () => this.#table.write((rows) => this.#decideRevocation(rows, id, by)),
      (key) => key,
    );
  }

  listKeys(administrator = 'hub'): readonly ShownKey[] {
    const keys = [...this.#table.entries()].map(([, row]) => shownKey(row));
    return keys
      .filter(({ owner }) => isInTree(administrator, owner, this.#units))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: string): ShownKey | undefined {
    const row = this.#table.get(id);
    return row && shownKey(row);
  }

  onRevoked(listener: (keyId: string) => void): () => void {
    return this.#revocations.listen(listener);
  }

  async ensureAdmin(dir: string): Promise<AdminKey> {
    await this.#table.refresh();
    const admins = [...this.#table.entries()].map(([, row]) => row).filter(isActiveHubAdmin);
    if (admins.length === 0)
      return this.#makeAdmin('key.create', dir, (rows) => ([...rows.values()].some(isActiveHubAdmin) ? undefined : []));
    const path = adminKeyPath(dir);
    const text = readSecret(path);
    const sha256 = text === undefined ? '' : hashOf(text);
    return { kind: 'exists', path: admins.some((row) => row.sha256 === sha256) ? path : undefined };
  }

  resetAdmin(dir: string): Promise<AdminKey> {
    return this.#makeAdmin('key.reset-admin', dir, (rows) => [...rows.values()].filter(isActiveHubAdmin));
  }

  refresh(): Promise<void> {
    return this.#table.refresh();
  }

  close(): Promise<void> {
    return this.#table.close();
  }

  #checkGrants(found: readonly (readonly Problem[])[]): void {
    const problems = found.flat();
    if (problems.length > 0) throw new Fault('grant_exceeds_rights', { problems });
  }

  #audited<T>(act: Act, action: () => Promise<T>, afterOf?: (answer: T) => unknown): Promise<T> {
    return audited({ log: this.#log, now: this.#now }, act, action, afterOf);
  }

  /** A key with an id that no key of this process has. Another process may draw the same id meanwhile; `#insert` finds that under the claim. */
  #drawKey(): NewKey {
    for (;;) {
      const key = makeKey();
      if (this.#table.get(key.id) === undefined && !this.#table.damaged.has(key.id)) return key;
    }
  }

  #newRow({ id, prefix, sha256 }: NewKey, { owner, system, roles }: KeySpec, by: Actor): KeyRow {
    return { id, prefix, sha256, owner, system, roles: [...roles], createdAt: this.#time(), createdBy: by.keyId };
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }

  #insert(rows: readonly KeyRow[]): Promise<void> {
    return this.#table.write((present) => {
      const taken = rows.find((r) => present.has(r.id));
      if (taken) throw new Fault('conflict', { detail: 'a key prefix was drawn twice', retryAfterMs: 0 });
      return { changes: rows.map((row) => ({ key: row.id, row })), result: undefined };
    });
  }

  #decideRevocation(rows: KeyRows, id: string, by: Actor): Decision<KeyRow, ShownKey> {
    const row = rows.get(id);
    if (!row) throw new Fault('not_found');
    if (row.revokedAt !== undefined) return { changes: [], result: shownKey(row) };
    const others = [...rows.values()].filter((r) => r.id !== id);
    if (isActiveHubAdmin(row) && !others.some(isActiveHubAdmin)) throw new Fault('last_admin');
    const after: KeyRow = { ...row, revokedAt: this.#time(), revokedBy: by.keyId };
    return { changes: [{ key: id, row: after }], result: shownKey(after) };
  }

  /** `replaced` answers the keys that the new admin key replaces, or undefined when no admin key is needed. */
  #makeAdmin(
    what: 'key.create' | 'key.reset-admin',
    dir: string,
    replaced: (rows: KeyRows) => readonly KeyRow[] | undefined,
  ): Promise<AdminKey> {
    const key = makeKey();
    const spec: KeySpec = { owner: 'hub', system: 'admin', roles: ['admin'] };
    const path = adminKeyPath(dir);
    const act = { who: HUB_ACTOR, what, target: key.id, after: { id: key.id, ...spec } };
    return this.#audited(act, () =>
      this.#table.write<AdminKey>((rows) => {
        const old = replaced(rows);
        if (old === undefined) return { changes: [], result: { kind: 'exists', path: undefined } };
        const revokedAt = this.#time();
        const changes: Change<KeyRow>[] = [
          ...old.map((row) => ({ key: row.id, row: { ...row, revokedAt, revokedBy: 'hub' } })),
          { key: key.id, row: this.#newRow(key, spec, HUB_ACTOR) },
        ];
        return {
          changes,
          result: { kind: 'made', path, id: key.id },
          // The file is written before the row, under the claim: a row whose key text nobody has would lock every administrator out. The write is idempotent.
          beforeWrite: () => writeSecret(path, `${key.text}\n`),
        };
      }),
    );
  }
}

function isActiveHubAdmin(row: KeyRow): boolean {
  return row.revokedAt === undefined && isHubAdmin(row);
}

function shownKey({ sha256: _hidden, ...row }: KeyRow): ShownKey {
  return row;
}
