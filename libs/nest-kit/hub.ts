import { ConsumerFault } from '#consuming';
import { connect, createReader, isSdkFault, UnitFault, type Connection, type KeyOwner, type Reader } from '#sdk';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { SimpulOptions } from './options.js';
import { StartFault } from './start-fault.js';

/** After so long a start without an answer is told: a person at a terminal would think that the app hangs. */
const SILENT_MS = 2_000;

/** The connection of the app to the hub, and whose its key is. Closed after everything that uses it. */
@Injectable()
export class Hub implements OnApplicationShutdown {
  constructor(
    readonly connection: Connection,
    readonly reader: Reader,
    readonly owner: KeyOwner,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await this.connection.close();
  }
}

/** Connects, unless a connection is given, and asks the hub whose the key is. Throws StartFault. */
export async function openHub(options: SimpulOptions | undefined, given?: Connection): Promise<Hub> {
  const { url, key, language, startMs = 30_000 } = options ?? ({} as Partial<SimpulOptions>);
  if (typeof url !== 'string' || !/^https?:\/\//.test(url))
    throw new StartFault(
      'no_url',
      `SimpulModule needs the address of the hub: forRoot({ url: 'http://127.0.0.1:8080', key }), not ${JSON.stringify(url)}`,
    );
  if (typeof key !== 'string' || key === '')
    throw new StartFault(
      'no_key',
      'SimpulModule needs an API key: forRoot({ url, key }). `simpul key create UNIT --system NAME` makes one; keep it in the environment, not in the code',
    );
  const connection = given ?? connect({ url, ...(language === undefined ? {} : { language }) });
  const reader = createReader({ connection, key });
  const silent = setTimeout(() => {
    new Logger('Simpul').warn(`no hub answers at ${url} yet, asking on for ${Math.round(startMs / 1_000)} s`);
  }, SILENT_MS);
  try {
    return new Hub(connection, reader, await reader.me({ deadlineMs: startMs }));
  } catch (cause) {
    await connection.close();
    throw startFaultOf(cause, url);
  } finally {
    clearTimeout(silent);
  }
}

export function startFaultOf(cause: unknown, url: string): unknown {
  if (!isSdkFault(cause)) return cause;
  if (cause.status === 401 || cause.status === 403)
    return new StartFault(
      'key_refused',
      `the hub at ${url} refuses the key (${cause.message}): give SimpulModule.forRoot a valid key`,
      cause,
    );
  return new StartFault(
    'no_answer',
    `no hub answers at ${url} (${cause.message}): check the address, and that the hub runs`,
    cause,
  );
}

/** Why the app has no subscription. */
export function subscriptionFaultOf(cause: unknown, url: string): unknown {
  if (cause instanceof ConsumerFault && cause.code === 'events_missing')
    return new StartFault(cause.code, cause.message, cause);
  if (!isSdkFault(cause)) return cause;
  const { code, status, problem } = cause;
  if (code === 'subscription_changed') {
    const { message } = new UnitFault('SimpulStartFault', code, problem.detail);
    return new StartFault(code, message, cause);
  }
  if (cause.retryable || status === 401) return startFaultOf(cause, url);
  const detail = problem.detail === undefined ? cause.message : `${cause.message}: ${problem.detail}`;
  const { message } = new UnitFault('SimpulStartFault', 'subscription_refused', detail);
  return new StartFault('subscription_refused', message, cause);
}
