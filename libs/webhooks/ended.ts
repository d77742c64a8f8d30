/**
 * Why an exchange has ended without the whole answer, if it was not an error of the socket. `NO_TURN`: all connections were in use until the time was over. `ENDED`:
 * the receiver has ended the connection.
 */
export type EndedCode =
  | 'TIMEOUT'
  | 'NO_TURN'
  | 'CANCELLED'
  | 'CLOSED'
  | 'ENDED'
  | 'TOO_MANY_INFORMATIONAL'
  | 'INVALID_ANSWER'
  | 'ANSWER_TOO_LARGE'
  | 'INVALID_REQUEST';

export class Ended extends Error {
  readonly code: EndedCode;
  constructor(code: EndedCode) {
    super(code);
    this.code = code;
  }
}
