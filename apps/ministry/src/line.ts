import { SdkFault, type Connection } from '#sdk';

/** The line of an office to the hub, which can be cut: calls then end without an answer, as on a dead satellite link. */
export class Line {
  readonly connection: Connection;
  down = false;

  constructor(to: Connection) {
    this.connection = {
      ...to,
      call: (path, call) =>
        this.down ? Promise.reject(new SdkFault(0, { code: 'no_network' }, { retryable: true })) : to.call(path, call),
    };
  }
}
