import { Fault, type Problem } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change, type Decision, type Table, type TableReport } from '#table';
import type { Units } from '#units';
import type { Caller } from './access.js';
import { AUDIT_TOPIC, audited, HUB_ACTOR, recordUse, type Act, type Actor } from './audit.js';
import { Authenticator } from './authenticator.js';
import {
  grantProblems,
  isInTree,
  isPowerful,
  powerTypes,
  type GrantRules,
  type RestrictedType,
} from './grant-rules.js';
import { decideApproval, decideInsert, decideRefusal, decideRevocation, type Deciding } from './key-decisions.js';
import { KEY_LIVES, type KeyLives } from './key-expiry.js';
import { adminKeyPath, readSecret, writeSecret } from './key-file.js';
import { checkKeySpec, parseKeyRow, type KeyRow, type KeySpec } from './key-rules.js';
import { isActiveHubAdmin, needsSecond, shownKey, type ShownKey } from './key-state.js';
import { hashOf, makeKey, type NewKey } from './key-text.js';
import { PowerUse } from './power-use.js';

/** Keys by id, compacted. Rows of revoked keys stay, so that no later key gets the same id. */
export const KEYS_TOPIC = '_simpul.keys';
const MAX_CHANGES = 500;

/** A new key, valid or pending. `key` is its text: it is answered once and stored nowhere. */
export type MadeKey = ShownKey & { readonly key: string };

/** Called with the number of keys that are about to be made. Throws: none is made. */
export type Admit = (count: number) => void;
/** Asked before each key of a list: answers a promise when others are to be served first. */
export type Breathe = () => Promise<void> | undefined;
/** Problems of so many keys are told. */
const MOST_TOLD = 50;

export type AdminKey =
  | { readonly kind: 'made'; readonly path: string; readonly id: string }
  /** An admin key exists; `path` is set when the file in this folder still holds a valid admin key. */
  | { readonly kind: 'exists'; readonly path: string | undefined };

export interface Access {
  /** The caller of an `Authorization` header; undefined for an unknown, malformed or revoked key. In memory; every wrong key takes the same code path. */
  authenticate(header: string | undefined): Caller | undefined;
  /** Whether this header holds the whole text of a key that is refused only because it has expired: no other text learns anything. */
  isExpired(header: string | undefined): boolean;
  /** A request of this caller was let in: the use of a powerful key goes on record, once for each door and hour (R11.9). Returns at once. */
  noteUse(caller: Caller, door: () => string): void;
  /**
   * A key that this actor may give: the hub any key, an admin of a unit only to its tree and without roles of the whole hub (R11.5). A powerful key is
   * `pending` while there are two admins of the hub, until the second one approves it (R11.6).
   * Faults `invalid_request`, `grant_exceeds_rights`, `not_durable`.
   */
  createKey(by: Actor, spec: KeySpec, why?: string, admit?: Admit): Promise<MadeKey>;
  /**
   * Checks all keys before the first write, then writes at most 500 keys per write. One intent and one closing audit record for all. `admit` is called between
   * the checks and the first write. Faults as `createKey` (with the problems of at most 50 keys), and those of `admit` and `breathe`.
   */
  createKeys(
    by: Actor,
    specs: readonly KeySpec[],
    why?: string,
    admit?: Admit,
    breathe?: Breathe,
  ): Promise<readonly MadeKey[]>;
  /**
   * Idempotent: a revoked key is answered unchanged. An actor may revoke what it may give; a key outside its tree is `not_found`.
   * Faults `not_found`, `grant_exceeds_rights`, `last_admin` (the last admin key of the hub), `not_durable`.
   */
  revokeKey(by: Actor, id: string, why?: string): Promise<ShownKey>;
  /**
   * Makes a pending key valid, as a second admin of the hub; idempotent. The actor is an admin key of the hub.
   * Faults `not_found`, `second_admin_needed` (this actor asked for it), `wish_closed`, `not_durable`.
   */
  approveKey(by: Actor, id: string, why?: string): Promise<ShownKey>;
  /** Refuses a pending key, or withdraws it; idempotent. Faults `not_found`, `wish_closed` (it was approved), `not_durable`. */
  refuseKey(by: Actor, id: string, why?: string): Promise<ShownKey>;
  /** The keys of the tree of an owner (of `hub`: all) by ascending id, also revoked ones. */
  listKeys(administrator?: string): readonly ShownKey[];
  /** The same keys in no order, only those with an id behind `after`: one after the other, because there may be many. */
  keysOf(administrator: string, after?: string): Iterable<ShownKey>;
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
  /** @default KEY_LIVES */
  readonly lives?: KeyLives | undefined;
  readonly now: () => number;
  readonly report?: TableReport | undefined;
}

/**
 * Opens the keys: loads the keys table, then follows it. A key whose record cannot be read is unknown, also when an earlier record of it could be read: a damaged
 * record must not undo a revocation. Fault `log_unavailable`.
 */
export async function openAccess(deps: AccessDeps): Promise<Access> {
  const { log, report } = deps;
  const authenticator = new Authenticator(deps.now);
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
  readonly #lives: KeyLives;
  readonly #rules: GrantRules;
  readonly #authenticator: Authenticator;
  readonly #revocations: Revocations;
  readonly #table: Table<KeyRow>;
  readonly #power: PowerUse;

  constructor(deps: TableAccessDeps) {
    this.#log = deps.log;
    this.#now = deps.now;
    this.#units = deps.units;
    this.#parties = deps.parties;
    this.#lives = deps.lives ?? KEY_LIVES;
    this.#rules = { units: deps.units, types: deps.types };
    this.#authenticator = deps.authenticator;
    this.#revocations = deps.revocations;
    this.#table = deps.table;
    const record = (who: Caller, door: string) =>
      recordUse(deps, { who, what: 'key.use', target: who.keyId, after: { door, roles: [...who.roles] } });
    this.#power = new PowerUse({ rules: this.#rules, now: deps.now, record });
  }

  authenticate(header: string | undefined): Caller | undefined {
    return this.#authenticator.authenticate(header);
  }

  isExpired(header: string | undefined): boolean {
    return this.#authenticator.isExpired(header);
  }

  noteUse(caller: Caller, door: () => string): void {
    this.#power.note(caller, door);
  }

  async createKey(by: Actor, spec: KeySpec, why?: string, admit?: Admit): Promise<MadeKey> {
    return (await this.createKeys(by, [spec], why, admit))[0]!;
  }

  async createKeys(
    by: Actor,
    specs: readonly KeySpec[],
    why?: string,
    admit?: Admit,
    breathe?: Breathe,
  ): Promise<readonly MadeKey[]> {
    const at = (i: number): string => (specs.length > 1 ? `/${i}` : '');
    const now = this.#now();
    const keyRules = { units: this.#units, parties: this.#parties, lives: this.#lives, now };
    // Each key asks several times for the types: going through all contracts for each of 1,000 takes 20 ms.
    const types = powerTypes(this.#rules.types());
    const rules: GrantRules = { ...this.#rules, types: () => types };
    const expiries: number[] = [];
    for (const [i, spec] of specs.entries()) {
      await breathe?.();
      expiries.push(checkKeySpec(spec, keyRules, at(i)));
    }
    const found: (readonly Problem[])[] = [];
    for (const [i, spec] of specs.entries()) {
      await breathe?.();
      const problems = grantProblems(by.owner, spec, rules, at(i));
      if (problems.length > 0 && found.push(problems) >= MOST_TOLD) break;
    }
    this.#checkGrants(found);
    admit?.(specs.length);
    const keys = specs.map(() => this.#drawKey());
    const rows = keys.map((key, i) => this.#newRow(key, specs[i]!, by, expiries[i]));
    const asksSecond = specs.some((spec) => isPowerful(spec, rules)) && needsSecond(this.#rows(), now);
    const act = {
      who: by,
      what: asksSecond && by.keyId !== 'hub' ? 'key.wish' : 'key.create',
      target: keys.length === 1 ? keys[0]!.id : `${keys.length} keys`,
      why,
      after: rows.map(({ id, owner, system, roles, expiresAt }) => ({ id, owner, system, roles, expiresAt })),
    };
    const made = await this.#audited(
      act,
      async () => {
        const out: ShownKey[] = [];
        for (let i = 0; i < rows.length; i += MAX_CHANGES) {
          const part = rows.slice(i, i + MAX_CHANGES);
          const decide = (present: KeyRows) => decideInsert(present, part, this.#deciding(by), rules);
          out.push(...(await this.#table.write(decide)));
        }
        return out;
      },
      (answer) => answer.map(({ id, owner, state }) => ({ id, owner, state })),
    );
    return made.map((key, i) => ({ ...key, key: keys[i]!.text }));
  }

  revokeKey(by: Actor, id: string, why?: string): Promise<ShownKey> {
    return this.#decide(by, 'key.revoke', id, why, decideRevocation);
  }

  approveKey(by: Actor, id: string, why?: string): Promise<ShownKey> {
    return this.#decide(by, 'key.approve', id, why, decideApproval);
  }

  refuseKey(by: Actor, id: string, why?: string): Promise<ShownKey> {
    return this.#decide(by, 'key.refuse', id, why, decideRefusal);
  }

  listKeys(administrator = 'hub'): readonly ShownKey[] {
    return [...this.keysOf(administrator)].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  *keysOf(administrator: string, after = ''): Iterable<ShownKey> {
    const now = this.#now();
    for (const [id, row] of this.#table.entries())
      if (id > after && isInTree(administrator, row.owner, this.#units)) yield shownKey(row, now);
  }

  get(id: string): ShownKey | undefined {
    const row = this.#table.get(id);
    return row && shownKey(row, this.#now());
  }

  onRevoked(listener: (keyId: string) => void): () => void {
    return this.#revocations.listen(listener);
  }

  async ensureAdmin(dir: string): Promise<AdminKey> {
    await this.#table.refresh();
    const isAdmin = (row: KeyRow): boolean => isActiveHubAdmin(row, this.#now());
    const admins = this.#rows().filter(isAdmin);
    if (admins.length === 0)
      return this.#makeAdmin('key.create', dir, (rows) => ([...rows.values()].some(isAdmin) ? undefined : []));
    const path = adminKeyPath(dir);
    const text = readSecret(path);
    const sha256 = text === undefined ? '' : hashOf(text);
    return { kind: 'exists', path: admins.some((row) => row.sha256 === sha256) ? path : undefined };
  }

  resetAdmin(dir: string): Promise<AdminKey> {
    return this.#makeAdmin('key.reset-admin', dir, (rows) =>
      [...rows.values()].filter((row) => isActiveHubAdmin(row, this.#now())),
    );
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

  #newRow({ id, prefix, sha256 }: NewKey, { owner, system, roles }: KeySpec, by: Actor, expiresMs?: number): KeyRow {
    const row = { id, prefix, sha256, owner, system, roles: [...roles], createdAt: this.#time(), createdBy: by.keyId };
    return expiresMs === undefined ? row : { ...row, expiresAt: new Date(expiresMs).toISOString() };
  }

  #rows(): readonly KeyRow[] {
    return [...this.#table.entries()].map(([, row]) => row);
  }

  #deciding(by: Actor): Deciding {
    return { by, now: this.#now() };
  }

  /** Decides about one key of the actor's tree, between audit records. A key outside the tree looks like one that does not exist. */
  async #decide(
    by: Actor,
    what: string,
    id: string,
    why: string | undefined,
    decide: (rows: KeyRows, id: string, deciding: Deciding) => Decision<KeyRow, ShownKey>,
  ): Promise<ShownKey> {
    const before = this.get(id);
    if (before === undefined || !isInTree(by.owner, before.owner, this.#units)) throw new Fault('not_found');
    this.#checkGrants([grantProblems(by.owner, before, this.#rules)]);
    return this.#audited(
      { who: by, what, target: id, why, before },
      () => this.#table.write((rows) => decide(rows, id, this.#deciding(by))),
      (key) => key,
    );
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
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
