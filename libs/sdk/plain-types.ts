/*
 * The forms of values in event data (R13.5), as types for the compiler. Generated types are made of them. A string form is checked when the event is encoded
 * (`encodeEvent`), not by the compiler.
 */

/** A day, `YYYY-MM-DD`, years 0001 to 9999. */
export type DateText = string;

/** A moment, RFC 3339 with an offset and at most three digits of a second: `2021-07-15T09:30:00+07:00`. The hub answers UTC: `2021-07-15T02:30:00.000Z`. */
export type TimeText = string;

/** A decimal number in digits, `1500000.50`: a JSON number would lose digits. At most as many digits before and behind the point as the field says. */
export type DecimalText = string;

/** Bytes in base64, with padding. */
export type Base64Text = string;

/** `6ba7b810-9dad-11d1-80b4-00c04fd430c8` */
export type UuidText = string;

/** A whole number of 64 bits: a number up to 2^53 - 1, beyond that its digits as text. Both forms are taken. `BigInt(value)` reads both. */
export type Long = number | string;

/** What a reader gets in place of a symbol that its version of the schema does not know. It is never published: `ToPublish` leaves it out. */
export type UnknownSymbol = '_tidak_dikenal';

/** The data of an event as it is published: without `UnknownSymbol`, which only readers see. */
export type ToPublish<T> = T extends UnknownSymbol ? never : T extends object ? { [K in keyof T]: ToPublish<T[K]> } : T;
