/** An event that was acknowledged, and that every subscription of the run wants. */
export interface Due {
  readonly id: string;
  readonly source: string;
  /** Of its lane. */
  readonly subject: string;
  readonly position: string;
}

/** One event that came in at one receiver. */
export interface Arrival {
  /** Which receiver; each has one subscription. */
  readonly to: string;
  /** Milliseconds since 1970: when the request was whole, and when its answer was given. */
  readonly at: number;
  readonly answeredAt: number;
  readonly webhookId: string;
  readonly id: string;
  readonly source: string;
  readonly position: string | undefined;
  /** The receiver answered 2xx, and the connection stood. */
  readonly taken: boolean;
}

/** A time in which what R8.7 allows may have been lost: of kill -9, the moment; of a log that was away, until all couriers write again. */
export interface Fault {
  readonly what: string;
  /** The receiver that was killed; its answers may have been lost. */
  readonly receiver?: string;
  readonly from: number;
  readonly until: number;
  /** Attempts that ended up to so many ms before it may come again. */
  readonly beforeMs: number;
}

/** What stands in rows at the end. */
export interface Standing {
  /** Positions of parked events and dead letters, with how many events are held behind each. */
  readonly stands: readonly { readonly position: string; readonly held: number }[];
}

export interface Verdict {
  readonly due: number;
  /** Due events times receivers that were taken at least once. */
  readonly delivered: number;
  /** Neither taken nor standing in a row. */
  readonly missing: readonly string[];
  /** Came in before an earlier event of its lane was taken: out of order, or past a parked one. */
  readonly early: readonly string[];
  /** Came again after it was taken, as R8.7 allows. */
  readonly repeated: number;
  /** Came again and should not. */
  readonly again: readonly string[];
  /** One event of one subscription under two webhook-ids, or a webhook-id of two events, or a wrong position. */
  readonly otherIds: readonly string[];
  /** Arrivals of events that were never acknowledged. */
  readonly unknown: readonly string[];
  /** How long before a fault the oldest attempt ended that came again, in ms. */
  readonly oldestRepeatMs: number;
}

const key = (of: { readonly source: string; readonly id: string }): string => `${of.source} ${of.id}`;
const offsetOf = (position: string): bigint => BigInt(position.slice(position.lastIndexOf('/') + 1));

/** Judges deliveries by R8 from what was acknowledged, what came in, and what stands. `standing`: by receiver. */
export function judgeDeliveries(
  due: readonly Due[],
  arrivals: readonly Arrival[],
  faults: readonly Fault[],
  standing: ReadonlyMap<string, Standing>,
): Verdict {
  const known = new Map(due.map((d) => [key(d), d]));
  const lanes = lanesOf(due);
  const verdict = { delivered: 0, repeated: 0, oldestRepeatMs: 0 };
  const missing: string[] = [];
  const early: string[] = [];
  const again: string[] = [];
  const otherIds: string[] = [];
  const unknown: string[] = [];
  for (const [to, { stands }] of standing) {
    const own = arrivals.filter((a) => a.to === to).toSorted((a, b) => a.at - b.at);
    const taken = new Map<string, Arrival>();
    const ids = new Map<string, string>();
    const reached = new Map<string, number>();
    for (const arrival of own) {
      const name = key(arrival);
      const text = `${to}: ${arrival.position} ${arrival.id}`;
      const event = known.get(name);
      if (event === undefined) {
        unknown.push(text);
        continue;
      }
      const id = ids.get(name) ?? arrival.webhookId;
      ids.set(name, id);
      if (id !== arrival.webhookId || arrival.position !== event.position)
        otherIds.push(`${text} as ${arrival.webhookId}, not ${event.position} as ${id}`);
      const last = taken.get(name);
      if (last !== undefined) {
        const fault = faults.find((f) => isAllowed(last, arrival, f, to));
        if (fault === undefined) again.push(`${text}: ${beforeOf(last, arrival, faults)}`);
        else {
          verdict.repeated++;
          verdict.oldestRepeatMs = Math.max(verdict.oldestRepeatMs, fault.from - last.answeredAt);
        }
        // What came again may come again after the next fault.
        if (arrival.taken) taken.set(name, arrival);
        continue;
      }
      const lane = lanes.get(event.subject)!;
      const before = reached.get(event.subject) ?? 0;
      if (lane[before] !== event) early.push(`${text}: ${lane[before]?.position} was not taken yet`);
      if (!arrival.taken) continue;
      taken.set(name, arrival);
      let next = before;
      while (next < lane.length && taken.has(key(lane[next]!))) next++;
      reached.set(event.subject, next);
    }
    if (new Set(ids.values()).size !== ids.size) otherIds.push(`${to}: one webhook-id for two events`);
    verdict.delivered += taken.size;
    const standsAt = new Set(stands.map(({ position }) => position));
    for (const lane of lanes.values()) missing.push(...missingOf(to, lane, taken, standsAt, stands));
  }
  return { due: due.length, ...verdict, missing, early, again, otherIds, unknown };
}

/** How long before the arrival it was taken, and which fault came between. */
function beforeOf(last: Arrival, arrival: Arrival, faults: readonly Fault[]): string {
  const fault = faults.findLast(({ from }) => from >= last.answeredAt && from <= arrival.at);
  const near = fault === undefined ? 'no fault since' : `${fault.from - last.answeredAt} ms before ${fault.what}`;
  return `taken ${arrival.at - last.answeredAt} ms before, ${near}`;
}

/** Events of each lane by offset. A subject has one partition. */
function lanesOf(due: readonly Due[]): ReadonlyMap<string, readonly Due[]> {
  const lanes = new Map<string, Due[]>();
  for (const event of due) lanes.set(event.subject, [...(lanes.get(event.subject) ?? []), event]);
  for (const lane of lanes.values()) lane.sort((a, b) => Number(offsetOf(a.position) - offsetOf(b.position)));
  return lanes;
}

function isAllowed(last: Arrival, arrival: Arrival, fault: Fault, to: string): boolean {
  if (fault.receiver !== undefined && fault.receiver !== to) return false;
  // It came again because of this fault only if it came after it.
  return arrival.at >= fault.from && last.at <= fault.until && last.answeredAt >= fault.from - fault.beforeMs;
}

/**
 * A lane is taken up to one place; what follows is one that stands and what is held behind it. The receiver may have taken also the one that stands: the hub learns
 * nothing of an answer that is cut off.
 */
function missingOf(
  to: string,
  lane: readonly Due[],
  taken: ReadonlyMap<string, Arrival>,
  standsAt: ReadonlySet<string>,
  stands: Standing['stands'],
): readonly string[] {
  const open = (event: Due): boolean => !taken.has(key(event));
  const at = lane.findIndex(({ position }) => standsAt.has(position));
  const lost = (at === -1 ? lane : lane.slice(0, at)).filter(open);
  if (lost.length > 0 || at === -1) return lost.map(({ position, id }) => `${to}: ${position} ${id}`);
  const { position } = lane[at]!;
  const { held } = stands.find((row) => row.position === position)!;
  // Of those behind it some may have been taken as well, before a kill after which the hub began anew at the one that stands.
  const after = lane.slice(at + 1);
  const behind = after.filter(open).length;
  const isHeld = held >= behind && held <= after.length;
  return isHeld ? [] : [`${to}: ${behind} events behind ${position}, ${held} held`];
}
