/**
 * The assignment rule of every group, the same on each adapter (R1): partition p of every topic goes to the same member.
 * Member number (p modulo the count of candidates) owns p; the candidates are the members that read all topics which have a partition p, in the order
 * of their ids. If no member reads all of them, every member is a candidate, and a topic that the owner does not read goes to the next member that does.
 *
 * `subscriptions`: member id → topics it reads. `counts`: topic → number of partitions; 0 or absent: the topic does not exist (any more).
 * Every partition of a topic that somebody reads has exactly one owner. Members without a partition are in the result, with an empty map.
 */
export function assignPartitions(
  subscriptions: ReadonlyMap<string, readonly string[]>,
  counts: ReadonlyMap<string, number>,
): Map<string, Map<string, number[]>> {
  const members = [...subscriptions].map(([id, topics]) => ({ id, topics: new Set(topics) }));
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  const topics = [...counts.keys()].filter((topic) => members.some((m) => m.topics.has(topic))).sort();
  const out = new Map(members.map((m) => [m.id, new Map<string, number[]>()]));
  const most = Math.max(0, ...topics.map((topic) => counts.get(topic)!));
  for (let partition = 0; partition < most; partition++) {
    const here = topics.filter((topic) => counts.get(topic)! > partition);
    const readsAll = members.filter((m) => here.every((topic) => m.topics.has(topic)));
    const candidates = readsAll.length > 0 ? readsAll : members;
    for (const topic of here) {
      let owner = partition % candidates.length;
      while (!candidates[owner]!.topics.has(topic)) owner = (owner + 1) % candidates.length;
      const own = out.get(candidates[owner]!.id)!;
      const partitions = own.get(topic);
      if (partitions) partitions.push(partition);
      else own.set(topic, [partition]);
    }
  }
  return out;
}
