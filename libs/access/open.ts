import { Fault } from '#faults';
import type { EventLog } from '#log';
import { openTable, type Change } from '#table';
import type { Units } from '#units';
import type { Caller } from './access.js';
import { AUDIT_TOPIC, audited, HUB_ACTOR, type Actor } from './audit.js';
import { Authenticator } from './authenticator.js';
import { adminKeyPath, readSecret, writeSecret } from './key-file.js';
import { checkWish, isActiveAdmin, parseKeyRow, type KeyRow, type KeyWish } from './key-rules.js';
import { hashOf, makeKey, type NewKey } from './key-text.js';

/** Keys by id, compacted: revoked ones stay, so that their ids are never anybody else's. */
export const KEYS_TOPIC = '_simpul.keys';
const MAX_CHANGES = 500;

/** A key as shown: never its hash. */
export type ShownKey = Omit<KeyRow, 'sha256'>;

/** A key just made. `key` is its text: shown this once, stored nowhere. */
export interface MadeKey extends KeyWish {
  readonly id: string;
  readonly key: string;
}

export type AdminKey =
  | { readonly kind: 'made'; readonly path: string; readonly id: string }
  /** An admin key exists; `path` when the file of this folder still holds a valid one. */
  | { readonly kind: 'exists'; readonly path: string | undefined };

export interface Access {
  /** The caller of an `Authorization` header. In memory; the same way for every wrong key. */
  authenticate(header: string | undefined): Caller | undefined;
  /** Fault invalid_request, not_durable. */
  createKey(by: Actor, wish: KeyWish, why?: string): Promise<MadeKey>;
  /** At most 500 keys a write; checked all before the first write. One audit pair for all. */
  createKeys(by: Actor, wishes: readonly KeyWish[], why?: string): Promise<readonly MadeKey[]>;
  /** Again on a revoked key: no change. Fault not_found, last_admin. */
  revokeKey(by: Actor, id: string, why?: string): Promise<ShownKey>;
  /** By id, ascending, revoked ones too. */
  listKeys(): readonly ShownKey[];
  get(id: string): ShownKey | undefined;
  /** Told of every revoked key, whichever process revoked it. Answers how to stop that. */
  onRevoked(listener: (keyId: string) => void): () => void;
  /** Makes `<dir>/admin.key` (0600) only when no admin key is in force (R11). */
  ensureAdmin(dir: string): Promise<AdminKey>;
  /** On the hub's own machine: a new admin key into `<dir>/admin.key`; the admin keys of the deployment itself made before are revoked. */
  resetAdmin(dir: string): Promise<AdminKey>;
  /** Reads what other processes wrote until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface AccessDeps {
  readonly log: EventLog;
  readonly units: Units;
  /** Codes of external parties that keys may be bound to. */
  readonly parties: ReadonlySet<string>;
  readonly now: () => number;
}

/** Opens the keys: loads the table, then follows it. Fault log_unavailable. */
export async function openAccess({ log, units, parties, now }: AccessDeps): Promise<Access> {
  const known = new Authenticator();
  const revokedListeners = new Set<(keyId: string) => void>();
  const revoked = new Set<string>();
  await log.ensureTopic({ name: AUDIT_TOPIC, partitions: 1, cleanup: 'keep' });
  const table = await openTable<KeyRow>({
    log,
    topic: KEYS_TOPIC,
    parse: (value) => {
      const row = parseKeyRow(value.toString());
      if (!row) throw new TypeError('no row of the keys table');
      return row;
    },
    serialise: (row) => Buffer.from(JSON.stringify(row)),
    onChange: (key, row) => {
      // A deleted row must not leave a key in force.
      if (row === undefined) known.drop(key);
      else known.put(row);
      if (row !== undefined && row.revokedAt === undefined) revoked.delete(key);
      else if (!revoked.has(key)) {
        revoked.add(key);
        for (const tell of revokedListeners) tell(key);
      }
    },
  });

  const deps = { log, now };
  const rowOf = (key: NewKey, wish: KeyWish, by: Actor): KeyRow => ({
    id: key.id,
    prefix: key.prefix,
    sha256: key.sha256,
    owner: wish.owner,
    system: wish.system,
    roles: [...wish.roles],
    createdAt: new Date(now()).toISOString(),
    createdBy: by.keyId,
  });
  const insert = (rows: readonly KeyRow[]): Promise<void> =>
    table.write((now) => {
      const taken = rows.find((r) => now.has(r.id));
      if (taken) throw new Fault('conflict', { detail: 'a key prefix was drawn twice', retryAfterMs: 0 });
      return { changes: rows.map((row) => ({ key: row.id, row })), result: undefined };
    });

  const createKeys = async (by: Actor, wishes: readonly KeyWish[], why?: string): Promise<readonly MadeKey[]> => {
    wishes.forEach((w, i) => {
      checkWish(w, units, parties, wishes.length > 1 ? `/${i}` : '');
    });
    const keys = wishes.map((wish) => ({ wish, key: newPrefix(table) }));
    const shown = keys.map(({ wish, key }) => ({ id: key.id, ...wish }));
    const target = keys.length === 1 ? keys[0]!.key.id : `${keys.length} keys`;
    const act = { who: by, what: 'key.create', target, why, after: shown };
    await audited(deps, act, async () => {
      for (let at = 0; at < keys.length; at += MAX_CHANGES)
        await insert(keys.slice(at, at + MAX_CHANGES).map(({ wish, key }) => rowOf(key, wish, by)));
    });
    return keys.map(({ wish, key }) => ({ ...wish, id: key.id, key: key.text }));
  };

  const newAdmin = (
    what: 'key.create' | 'key.reset-admin',
    dir: string,
    decide: (rows: ReadonlyMap<string, KeyRow>) => readonly KeyRow[] | undefined,
  ): Promise<AdminKey> => {
    const key = makeKey();
    const wish: KeyWish = { owner: 'hub', system: 'admin', roles: ['admin'] };
    const path = adminKeyPath(dir);
    const act = { who: HUB_ACTOR, what, target: key.id, after: { id: key.id, ...wish } };
    return audited(deps, act, () =>
      table.write<AdminKey>((rows) => {
        const others = decide(rows);
        if (others === undefined) return { changes: [], result: { kind: 'exists', path: undefined } };
        // The file first, under the claim: a key in the table whose text nobody has would lock everyone out. Written again when asked again.
        writeSecret(path, `${key.text}\n`);
        const at = new Date(now()).toISOString();
        const changes: Change<KeyRow>[] = [
          ...others.map((row) => ({ key: row.id, row: { ...row, revokedAt: at, revokedBy: 'hub' } })),
          { key: key.id, row: rowOf(key, wish, HUB_ACTOR) },
        ];
        return { changes, result: { kind: 'made', path, id: key.id } };
      }),
    );
  };

  return {
    authenticate: (header) => known.authenticate(header),
    createKeys,
    createKey: async (by, wish, why) => (await createKeys(by, [wish], why))[0]!,
    revokeKey: (by, id, why) => {
      if (table.get(id) === undefined) return Promise.reject(new Fault('not_found'));
      const act = { who: by, what: 'key.revoke', target: id, why, before: shownKey(table.get(id)!) };
      const revoke = (rows: ReadonlyMap<string, KeyRow>): { changes: Change<KeyRow>[]; result: ShownKey } => {
        const row = rows.get(id);
        if (!row) throw new Fault('not_found');
        if (row.revokedAt !== undefined) return { changes: [], result: shownKey(row) };
        if (isActiveAdmin(row) && ![...rows.values()].some((r) => r.id !== id && isActiveAdmin(r)))
          throw new Fault('last_admin');
        const after: KeyRow = { ...row, revokedAt: new Date(now()).toISOString(), revokedBy: by.keyId };
        return { changes: [{ key: id, row: after }], result: shownKey(after) };
      };
      return audited(
        deps,
        act,
        () => table.write(revoke),
        (key) => key,
      );
    },
    listKeys: () => [...table.entries()].map(([, row]) => shownKey(row)).sort((a, b) => (a.id < b.id ? -1 : 1)),
    get: (id) => {
      const row = table.get(id);
      return row && shownKey(row);
    },
    onRevoked(listener) {
      revokedListeners.add(listener);
      return () => revokedListeners.delete(listener);
    },
    async ensureAdmin(dir) {
      await table.refresh();
      if ([...table.entries()].some(([, row]) => isActiveAdmin(row))) {
        const text = readSecret(adminKeyPath(dir));
        const sha256 = text === undefined ? '' : hashOf(text);
        const valid = [...table.entries()].some(([, row]) => isActiveAdmin(row) && row.sha256 === sha256);
        return { kind: 'exists', path: valid ? adminKeyPath(dir) : undefined };
      }
      return newAdmin('key.create', dir, (rows) => ([...rows.values()].some(isActiveAdmin) ? undefined : []));
    },
    resetAdmin: (dir) =>
      newAdmin('key.reset-admin', dir, (rows) =>
        [...rows.values()].filter((r) => r.owner === 'hub' && isActiveAdmin(r)),
      ),
    refresh: () => table.refresh(),
    close: () => table.close(),
  };
}

/** A key whose prefix nobody has here; the write looks once more. */
function newPrefix(table: { get(id: string): KeyRow | undefined }): NewKey {
  for (;;) {
    const key = makeKey();
    if (table.get(key.id) === undefined) return key;
  }
}

function shownKey({ sha256: _hidden, ...row }: KeyRow): ShownKey {
  return row;
}
