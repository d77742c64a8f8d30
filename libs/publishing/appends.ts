import type { Appender } from '#log';

/** The append of an Appender: the records of one call lie one after another from `base`, all or none. It resolves within `timeoutMs`, whatever the log does. */
export type Appends = Pick<Appender, 'append'>;
