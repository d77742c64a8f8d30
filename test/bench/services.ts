/** Kafka and Redis that the launcher of the bench provides. */
export function services(): { readonly brokers: string; readonly redis: string } {
  const brokers = process.env['SIMPUL_TEST_KAFKA'];
  const redis = process.env['SIMPUL_TEST_REDIS'];
  if (!brokers || !redis) throw new Error('no Kafka and Redis: start it with npm run bench');
  return { brokers, redis };
}
