import type { LogRecord } from '#log';

/**
 * A record of more bytes is large: it is read in steps (with a list of 80,000 ids each of them takes some 20 ms), and readers that come past it together
 * share what is made of it.
 */
export const LARGE_BYTES = 32_768;

/** Bytes of a record, without cutting its value out where the log knows them. */
export const sizeOf = (record: LogRecord): number => record.size ?? record.value?.length ?? 0;

export const isLarge = (record: LogRecord): boolean => sizeOf(record) > LARGE_BYTES;
