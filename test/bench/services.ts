/** Addresses of Kafka and Redis, set by the launcher of the bench. Throws when they are absent. */
export function services(): { readonly brokers: string; readonly redis: string } {
  const brokers = process.env['SIMPUL_TEST_KAFKA'];
  const redis = process.env['SIMPUL_TEST_REDIS'];
  if (!brokers || !redis) throw new Error('no Kafka and Redis: start it with npm run bench');
  return { brokers, redis };
}
