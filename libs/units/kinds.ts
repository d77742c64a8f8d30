import type { Unit } from './unit.js';

/** The unit types that the registry accepts: the `unitTypes` of the seed. Publisher and consumer patterns refer to them. */
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

/** The spellings of a time zone that an event may use. */
export const ZONES: Readonly<Record<string, readonly [timezone: string, tz: Unit['tz']]>> = {
  WIB: ['Asia/Jakarta', 'WIB'],
  WITA: ['Asia/Makassar', 'WITA'],
  WIT: ['Asia/Jayapura', 'WIT'],
  'Asia/Jakarta': ['Asia/Jakarta', 'WIB'],
  'Asia/Pontianak': ['Asia/Pontianak', 'WIB'],
  'Asia/Makassar': ['Asia/Makassar', 'WITA'],
  'Asia/Jayapura': ['Asia/Jayapura', 'WIT'],
};
