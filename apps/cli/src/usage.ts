import type { Text } from '#faults';

/** A wrong use of the command line: exit code 2. */
export class Usage extends Error {
  readonly text: Text;

  constructor(text: Text) {
    super(text.code);
    this.text = text;
  }
}
