import { pause } from '#concurrency';
import type { ReadEvent } from '#sdk';
import type { Day } from '../day.js';
import type { WebhookOffice } from './webhooks.js';

const MENDED_AT = '11:20';
/** Also when the hub is killed on Kafka in the meantime: its partitions have a new owner 45 s later. */
const PATIENCE_MS = 150_000;

/**
 * An office cannot take one case: its system refuses it with 422. The hub parks the case and what follows it; other cases go on. Later the system is mended, the
 * office has the case sent again, as `simpul dlq redrive` does, and its followers arrive after it.
 */
export function playPoison({ clock, tally, stories }: Day, webhook: WebhookOffice): void {
  const { office, door } = webhook;
  stories.running++;
  const say = (id: string, en: string): void => tally.story(clock.label(), id, en);
  let poisoned: string | undefined;
  let mended = false;
  let arrived = 0;
  webhook.refuses = ({ subject }: ReadEvent): number | undefined => {
    if (mended) return undefined;
    if (poisoned === undefined) {
      poisoned = subject;
      say(
        `${office.name} menolak ${subject} (422): perkara itu diparkir, yang lain jalan terus`,
        `${office.name} refuses ${subject} (422): that case is parked, others go on`,
      );
    }
    return subject === poisoned ? 422 : undefined;
  };
  webhook.handledOne = ({ subject }) => {
    if (subject === poisoned) arrived++;
  };
  const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + PATIENCE_MS; !(await condition()); await pause(300))
      if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
  };
  const mend = async (): Promise<void> => {
    // The story needs a case that stands, with something behind it.
    const isHolding = async (): Promise<boolean> => (await door.stopped(webhook.id)).some(({ held }) => held > 0);
    await until('a case is parked, and something waits behind it', isHolding);
    mended = true;
    await door.redrive(webhook.id, 'aplikasi kanwil sudah diperbaiki');
    await until('the case is delivered', async () => (await door.stopped(webhook.id)).length === 0 && arrived > 1);
    say(
      `${office.name} diperbaiki: ${poisoned} dikirim ulang, ${arrived - 1} peristiwa menyusul sesudahnya`,
      `${office.name} is mended: ${poisoned} was sent again, ${arrived - 1} events followed it`,
    );
  };
  clock.plan(clock.at(MENDED_AT), () => {
    void mend()
      .catch((cause: unknown) => stories.failed(`${office.name}: ${String(cause)}`))
      .finally(() => stories.running--);
  });
}
