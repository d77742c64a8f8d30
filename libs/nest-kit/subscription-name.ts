import { createHash } from 'node:crypto';

/** The name of the subscription of a group. Names have no "." and "_" as groups and systems may; then a mark of the group stands behind, so that no two groups share one. */
export function subscriptionNameOf(group: string): string {
  const plain = group.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
  if (plain === group && group.length <= 63) return group;
  const mark = createHash('sha256').update(group).digest('hex').slice(0, 6);
  return `${plain.slice(0, 56)}-${mark}`;
}
