import { z } from 'zod';

/** A list of waits in seconds, each at most four days. */
const waits = (count: number): z.ZodType<readonly number[]> =>
  z
    .string()
    .transform((list) => list.split(',').map((text) => (text.trim() === '' ? Number.NaN : Number(text))))
    .refine(
      (list) => list.length <= count && list.every((s) => s >= 0.001 && s <= 345_600),
      `expected at most ${count} numbers of seconds, with commas between`,
    );

/** Settings of the waits between the tries of a delivery. */
export const DELIVERY_TABLE = {
  SIMPUL_DELIVERY_RETRIES: {
    schema: waits(5).default([5, 25]),
    default: '`5,25`',
    text: 'Seconds before the second, the third … try of a delivery that failed. After the last one the subject is parked: later events of it wait, other subjects go on.',
  },
  SIMPUL_DELIVERY_SCHEDULE: {
    schema: waits(20).default([300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]),
    default: '`300,1800,7200,18000,36000,50400,72000,86400`',
    text: 'Seconds between the tries of a parked event. After the last one it is a dead letter, which waits for a person.',
  },
  SIMPUL_SUBSCRIPTIONS_PER_UNIT: {
    schema: z.coerce.number().int().min(1).default(100),
    default: '`100`',
    text: 'Subscriptions of one unit or party at most; one more is 409 `too_many_subscriptions`.',
  },
} as const;
