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
