import type { Appender } from '#log';

/** How records get into the log. One call = one unit: its records lie one after another from `base`, all or none. */
export type Appends = Pick<Appender, 'append'>;
