import type { TableReport } from '#table';
import type { AttemptRow } from '../port.js';

export interface DeliveryReport {
  /** Something that a person must know: a code of the alarms, with its facts. */
  readonly alarm?: (code: string, facts: Readonly<Record<string, string>>) => void;
  readonly damaged?: (subscription: string, position: string) => void;
  /** A write or read failed; it is made again. */
  readonly failed?: (cause: unknown) => void;
  /** An attempt has ended. */
  readonly attempted?: (row: AttemptRow) => void;
  readonly table?: TableReport;
}
