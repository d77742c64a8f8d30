import { randomBytes } from 'node:crypto';
import { isSdkFault } from '#sdk';
import type { Context } from '../context.js';
import { texts } from '../texts.js';
import { isSubscription, pathOf, type SubscriptionRow } from './subscription-rows.js';

/** A hub that does not answer must not hold up the end of a command. */
const REMOVE_MS = 5_000;
/** Subscriptions for as long as a command runs. What a killed one leaves behind the hub removes by itself. */
export class TemporarySubscriptions {
  readonly #ctx: Context;
  readonly #made: SubscriptionRow[] = [];

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Makes one. Rejects with SdkFault. */
  async make(spec: {
    readonly types: readonly string[];
    readonly start: string;
    readonly test: boolean;
  }): Promise<SubscriptionRow> {
    const { send, say } = this.#ctx;
    const name = `listen-${randomBytes(6).toString('hex')}`;
    const asked = { name, ...spec, temporary: true, target: { kind: 'sse' } };
    try {
      const made = (await send('POST', '/v1/subscriptions', isSubscription, asked)).body as SubscriptionRow;
      this.#made.push(made);
      return made;
    } catch (e) {
      // It may be that there is no courier, or no room for another subscription.
      if (isSdkFault(e) && (e.status === 503 || e.status === 409))
        process.stderr.write(`! ${say(texts.listen_streams())}\n`);
      throw e;
    }
  }

  /** Removes all of them; the names of those that could not be. Never rejects. */
  async remove(): Promise<readonly string[]> {
    const { hub, key } = this.#ctx;
    const left = await Promise.all(
      this.#made.splice(0).map(async ({ id, name }) => {
        const call = { method: 'DELETE', key, signal: AbortSignal.timeout(REMOVE_MS), shape: () => true } as const;
        const reply = await hub.call(pathOf(id), call).catch(() => undefined);
        return reply?.status === 200 || reply?.status === 404 ? [] : [name];
      }),
    );
    return left.flat();
  }
}
