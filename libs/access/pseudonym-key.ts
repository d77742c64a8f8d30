import { Fault } from '#faults';
import { PSEUDONYM_KEY, refuseDamaged, type MetaTable } from '#registry';
import { createHmac, randomBytes } from 'node:crypto';
import { pseudonymKeyPath, readSecret, writeSecret } from './key-file.js';

export interface PseudonymKeyDeps {
  /** Key file that the operator names; it must exist. */
  readonly file?: string | undefined;
  /** Without `file` the key is in `<dir>/pseudonym.key`, created once with mode 0600. */
  readonly dir: string;
  readonly meta: MetaTable;
}

/**
 * The 32-byte HMAC key that makes pseudonyms of subjects (R11.1). Its fingerprint is stored in the meta table. Another key is refused, and a lost key is never
 * replaced: with a new key the same person would get another pseudonym than in the stored events.
 * Faults `pseudonym_key_mismatch`, `control_record_unreadable` (the fingerprint in the meta table), `invalid_settings` (the file does not exist or does not hold 64 hex digits).
 */
export async function loadPseudonymKey({ file, dir, meta }: PseudonymKeyDeps): Promise<Buffer> {
  const path = file ?? pseudonymKeyPath(dir);
  await meta.refresh();
  refuseDamaged(meta, PSEUDONYM_KEY);
  let text = readSecret(path);
  if (text === undefined) {
    if (file !== undefined) throw new Fault('invalid_settings', { detail: `${path}: no such file` });
    if (meta.get(PSEUDONYM_KEY) !== undefined)
      throw new Fault('pseudonym_key_mismatch', { detail: `${path} is missing` });
    text = randomBytes(32).toString('hex');
    writeSecret(path, `${text}\n`);
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Fault('invalid_settings', { detail: `${path}: 64 hex digits expected` });
  const key = Buffer.from(text, 'hex');
  const fingerprint = fingerprintOf(key);
  const recorded = meta.get(PSEUDONYM_KEY)?.['fingerprint'];
  const same =
    recorded === fingerprint ||
    (recorded === undefined &&
      (await meta.write<boolean>((rows) => {
        refuseDamaged(meta, PSEUDONYM_KEY);
        const other = rows.get(PSEUDONYM_KEY)?.['fingerprint'];
        return other === undefined
          ? { changes: [{ key: PSEUDONYM_KEY, row: { fingerprint } }], result: true }
          : { changes: [], result: other === fingerprint };
      })));
  if (!same) throw new Fault('pseudonym_key_mismatch', { detail: path });
  return key;
}

/** 16 hex digits that identify the key without revealing it. */
function fingerprintOf(key: Buffer): string {
  return createHmac('sha256', key).update('simpul pseudonym key').digest('hex').slice(0, 16);
}
