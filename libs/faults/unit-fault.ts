import { FAULT_CLASSES } from './table.js';
import { UNIT_FAULTS, type UnitFaultCode } from './unit-table.js';

/**
 * Why a part that runs in a unit's own process (outbox, test hub, test module) did not do what it was asked. `code` names a row of the table of such faults; the message is one line with the
 * remedy, in Indonesian, then in English. Each part has a class of its own below this one.
 */
export class UnitFault<Code extends UnitFaultCode = UnitFaultCode> extends Error {
  readonly code: Code;
  /** The file, the number or the id that the message names. */
  readonly detail: string;
  /** The same call may succeed later without a change of the caller. */
  readonly retryable: boolean;

  constructor(name: string, code: Code, detail = '', cause?: unknown) {
    const { title, hint, class: kind } = UNIT_FAULTS[code];
    const said = detail === '' ? '' : `: ${detail.replace(/\.$/, '')}`;
    const line = (language: 'id' | 'en'): string => `${title[language]}${said}. ${hint[language]}`;
    super(`${code}: ${line('id')} / ${line('en')}`, cause === undefined ? undefined : { cause });
    this.name = name;
    this.code = code;
    this.detail = detail;
    this.retryable = FAULT_CLASSES[kind].action === 'retryable';
  }
}
