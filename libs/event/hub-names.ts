/**
 * Names that the hub itself writes into what it gives out: members beside the attributes of an event, and members of a page, an entry or a message. An event
 * that a publisher sends may not have an extension of one of these names: a reader would take the publisher's word for the hub's.
 */
export const HUB_NAMES: ReadonlySet<string> = new Set([
  // of an event
  'recordedtime',
  'digest',
  'position',
  'copyof',
  // of a page of events
  'events',
  'next',
  'incomplete',
  'damaged',
  // of an entry or a list of entries
  'entries',
  'stale',
  'updatedtime',
  'refused',
  'conflicts',
  // of answers to a publisher
  'receipt',
  'receipts',
  'duplicate',
  'results',
  'problem',
  'problems',
  'errors',
  'gap',
]);

/** Extension that the hub gives an event which a steward has accepted (R5.12): the source that stated it first. A publisher may not give it. */
export const STATED_BY = 'atasnama';

/** Extension of a test event, always `true`: it is checked like a real one and recorded in `_simpul.test` alone (R10.11). */
export const TEST_EVENT = 'simpultest';

/**
 * Extensions with a meaning in this hub that say nothing of the data: where an event comes from and belongs to. A reader at level masked sees these alone (R12.3).
 * Whatever else a publisher sends beside the data may be made of it.
 */
export const OPEN_EXTENSIONS: ReadonlySet<string> = new Set([
  'unitasal',
  'unitkode',
  'korelasi',
  'kausasi',
  'kelasdata',
  'tujuanproses',
  'dasarhukum',
  'waktuterkirim',
  'urutanunit',
  'traceparent',
  'tracestate',
  STATED_BY,
  TEST_EVENT,
]);

/** Signature of the unit that sends the event. Made of all data, so whoever has it can try values until it fits: for readers at level full, like the digest. */
export const SIGNATURE = 'tandatangan';
