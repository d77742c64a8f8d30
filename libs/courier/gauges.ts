import type { Courier, Standing } from '#delivery';
import type { Metrics } from '#telemetry';

type DeliveryMetrics = Pick<
  Metrics,
  'subscriptions' | 'subscriptionLagEvents' | 'subscriptionLagSeconds' | 'undelivered'
>;

/** How the subscriptions of this process stand now. Those that another courier has taken over have no series here any more. */
export async function setDeliveryGauges(metrics: DeliveryMetrics, courier: Pick<Courier, 'desks'>): Promise<void> {
  const asked: Promise<Standing>[] = [];
  for (const desk of courier.desks()) for (const run of desk.runs) asked.push(desk.standingOf(run));
  const standings = await Promise.all(asked);
  const statuses = { active: 0, waiting: 0, paused: 0, disabled: 0 };
  const stands = { parked: 0, dead: 0, held: 0 };
  metrics.subscriptionLagEvents.reset();
  metrics.subscriptionLagSeconds.reset();
  for (const { subscription, status, lag, parked, dead, held } of standings) {
    statuses[status]++;
    stands.parked += parked;
    stands.dead += dead;
    stands.held += held;
    metrics.subscriptionLagEvents.set({ subscription: subscription.id }, lag.events);
    metrics.subscriptionLagSeconds.set({ subscription: subscription.id }, lag.seconds);
  }
  for (const [status, count] of Object.entries(statuses)) metrics.subscriptions.set({ status }, count);
  for (const [what, count] of Object.entries(stands)) metrics.undelivered.set({ what }, count);
}
