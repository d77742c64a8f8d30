import type { Unit } from './unit.js';

/** Kinds of unit that the registry knows: those of the seed (`unitTypes`), which rights and routes are written for. */
export const UNIT_TYPES: ReadonlySet<string> = new Set([
  'kementerian',
  'eselon1',
  'eselon2',
  'kanwil',
  'kanim',
  'rudenim',
  'lapas',
  'rutan',
  'lpka',
  'bapas',
  'rupbasan',
  'bhp',
  'tpi',
  'layanan',
]);

/** Zones as an event may write them. */
export const ZONES: Readonly<Record<string, readonly [timezone: string, tz: Unit['tz']]>> = {
  WIB: ['Asia/Jakarta', 'WIB'],
  WITA: ['Asia/Makassar', 'WITA'],
  WIT: ['Asia/Jayapura', 'WIT'],
  'Asia/Jakarta': ['Asia/Jakarta', 'WIB'],
  'Asia/Pontianak': ['Asia/Pontianak', 'WIB'],
  'Asia/Makassar': ['Asia/Makassar', 'WITA'],
  'Asia/Jayapura': ['Asia/Jayapura', 'WIT'],
};
