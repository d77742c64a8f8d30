import { SdkFault, type Connection } from '#sdk';

/** A network link between an office and the hub that can be cut. While it is down, every call fails without an answer (retryable). */
export class NetworkLink {
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
