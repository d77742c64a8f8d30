/**
 * Who gets what: partition p of every topic goes to the same member (the p-th of the members in order of their ids, modulo their count).
 * A topic that this member does not read goes to the next one that does.
 */
export function assign(
  wishes: ReadonlyMap<string, readonly string[]>,
  counts: ReadonlyMap<string, number>,
): Map<string, Record<string, number[]>> {
  const members = [...wishes.keys()].sort();
  const out = new Map<string, Record<string, number[]>>(members.map((m) => [m, {}]));
  for (const [topic, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const reads = members.map((m) => wishes.get(m)!.includes(topic));
    if (!reads.includes(true)) continue;
    for (let p = 0; p < count; p++) {
      let at = p % members.length;
      while (!reads[at]) at = (at + 1) % members.length;
      (out.get(members[at]!)![topic] ??= []).push(p);
    }
  }
  return out;
}
