import type { Day } from '../day.js';
import type { WebhookOffice } from './webhooks.js';

const DOWN_AT = '08:10';
const UP_AT = '11:10';

/** The server of an office is down for three hours of the day: the hub waits for it, and then delivers what was missed, in order. */
export function playOutage({ clock, tally, stories }: Day, webhook: WebhookOffice): void {
  const { office, receiver } = webhook;
  stories.running++;
  let back = false;
  let told = false;
  clock.plan(clock.at(DOWN_AT), () => {
    tally.story(
      clock.label(),
      `Server ${office.name} mati: hub menunggu, unit lain jalan terus`,
      `The server of ${office.name} is down: the hub waits, other units go on`,
    );
    void receiver.down();
  });
  clock.plan(clock.at(UP_AT), () => {
    void receiver.up().then(() => (back = true));
  });
  webhook.handledOne = () => {
    if (!back || told) return;
    told = true;
    stories.running--;
    tally.story(
      clock.label(),
      `Server ${office.name} menyala lagi: yang tertunda menyusul, berurutan`,
      `The server of ${office.name} is back: what waited follows, in order`,
    );
  };
}
