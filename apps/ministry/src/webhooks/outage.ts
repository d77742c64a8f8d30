import type { Day } from '../day.js';
import type { WebhookOffice } from './webhooks.js';

const DOWN_AT = '08:10';
const UP_AT = '11:10';

/** The server of an office is down for three hours of the day: the hub waits for it, and then delivers what was missed, in order. */
export function playOutage({ clock, tally, stories }: Day, webhook: WebhookOffice): void {
  const { office, receiver } = webhook;
  stories.running++;
  const say = (id: string, en: string): void => tally.fact('outage', clock.label(), id, en);
  let back = false;
  let missed = 0;
  clock.plan(clock.at(DOWN_AT), () => {
    say(
      `Server ${office.name} mati: hub menunggu, unit lain jalan terus`,
      `The server of ${office.name} is down: the hub waits, other units go on`,
    );
    void receiver.down();
  });
  clock.plan(clock.at(UP_AT), () => {
    void receiver.up().then(() => {
      back = true;
      stories.running--;
      say(`Server ${office.name} menyala lagi`, `The server of ${office.name} is back`);
    });
  });
  webhook.handledOne = () => {
    if (!back) return;
    missed++;
    if (missed === 1 || missed % 20 === 0)
      say(
        `Server ${office.name} menyala lagi: ${missed} peristiwa sudah menyusul, berurutan`,
        `The server of ${office.name} is back: ${missed} events have followed, in order`,
      );
  };
}
