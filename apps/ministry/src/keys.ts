import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface UnitLike {
  readonly id: string;
  readonly code: string;
  readonly type: string;
}

export interface KeyNeed {
  /** `SU…` or `EXT-…`. */
  readonly unit: string;
  readonly system: string;
  readonly roles: readonly ('publisher' | 'reader')[];
}

export interface OwnKey {
  readonly unit: string;
  readonly system: string;
  readonly key: string;
}

/** The system that publishes for units of a type. */
export const SYSTEMS: Readonly<Record<string, string>> = {
  kanim: 'simkim',
  tpi: 'bcm',
  rudenim: 'simkim',
  lapas: 'sdp',
  rutan: 'sdp',
  lpka: 'sdp',
  bapas: 'sdp',
  kanwil: 'sikanwil',
};
/** Central offices with a system of their own, by unit code. */
export const CENTRAL: Readonly<Record<string, string>> = {
  'ES1-DJPAS': 'sdp',
  'ES1-DJIM': 'simkim',
  'ES2-WASDAKIM': 'cekal',
  'ES2-ROHUMAS': 'lapor',
};
/** Parties outside the ministry. */
export const PARTIES: Readonly<Record<string, string>> = {
  'EXT-DJA': 'simponi',
  'EXT-KPK': 'cekal',
  'EXT-POLRI': 'cekal',
  'EXT-KEJAGUNG': 'cekal',
  'EXT-DJP': 'cekal',
};

/** The keys that the day needs, each for one unit or outside party and its system. */
export function ministryKeys(units: readonly UnitLike[]): KeyNeed[] {
  const roles = ['publisher', 'reader'] as const;
  const out: KeyNeed[] = [];
  for (const u of units) {
    const system = SYSTEMS[u.type] ?? CENTRAL[u.code];
    if (system !== undefined) out.push({ unit: u.id, system, roles });
  }
  for (const [unit, system] of Object.entries(PARTIES)) out.push({ unit, system, roles });
  return out;
}

/** Reads a key file: `{"keys": {"SU00065:simkim": "…"}}`, a JSON array of `{unit, system, key}`, or CSV with a header naming those columns. */
export function readKeys(file: string): OwnKey[] {
  const text = readFileSync(file, 'utf8').trim();
  return parseKeys(text).filter((k) => /^(SU|EXT-)/.test(k.unit));
}

function parseKeys(text: string): OwnKey[] {
  if (text.startsWith('[')) return JSON.parse(text) as OwnKey[];
  if (text.startsWith('{')) {
    const { keys } = JSON.parse(text) as { keys: Record<string, string> };
    return Object.entries(keys).map(([name, key]) => {
      const [unit = '', system = ''] = name.split(':');
      return { unit, system, key };
    });
  }
  const [head = '', ...rows] = text.split(/\r?\n/);
  const names = head.split(',').map((n) => n.trim());
  const at = (row: string[], name: string): string => row[names.indexOf(name)]?.trim() ?? '';
  return rows.map((line) => {
    const row = line.split(',');
    return { unit: at(row, 'unit'), system: at(row, 'system'), key: at(row, 'key') };
  });
}

/** The units of the seed file. The list of keys is needed before there is a key to ask the hub with. */
export function seedUnits(): UnitLike[] {
  const file = join(import.meta.dirname, '..', '..', '..', '..', 'schemas', 'units.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { units: UnitLike[] }).units;
}
