import type { HubClient, SeenEvent } from './hub-client.js';
import { idOf, type Arrival, type History, type Subscriber } from './history.js';
import type { LogLine, WholeLog } from './log.js';

/** What subscriptions with webhooks got (R14.8). */
export interface Deliveries {
  readonly subscriptions: number;
  /** Events of the log that a subscription is due, as its owner reads them, counted for each subscription. */
  readonly matched: number;
  /** Of these, what a receiver took. */
  readonly delivered: number;
  /** Of the others, parked events and dead letters, each with what is held behind it. */
  readonly parked: number;
  readonly dead: number;
  /** Events that came before an earlier one of their subject was taken. */
  readonly misordered: number;
  /** Neither delivered nor parked nor dead. */
  readonly missing: number;
}

/** Reads the hub with the key of a process; undefined: the key is not known. */
export type Readers = (process: string) => HubClient | undefined;

type Problem = (text: string) => void;

/** A parked event or a dead letter, as the hub tells it to the owner. */
interface Stop {
  readonly kind: 'parked' | 'dead';
  readonly position: string;
  readonly held: number;
}

/** undefined: there is no subscription. */
export async function judgeDeliveries(
  history: History,
  log: WholeLog,
  readers: Readers,
  problem: Problem,
): Promise<Deliveries | undefined> {
  if (history.subscribers.length === 0) return undefined;
  const sum = { matched: 0, delivered: 0, parked: 0, dead: 0, misordered: 0, missing: 0 };
  const pages = new Map<string, Promise<readonly SeenEvent[]>>();
  for (const subscriber of history.subscribers) {
    const hub = readers(subscriber.process);
    if (hub === undefined) {
      problem(`no key to read as ${subscriber.process}`);
      continue;
    }
    const due = await dueTo(subscriber, hub, pages);
    const stops = await stopsOf(subscriber, hub);
    const one = judgeSubscriber(subscriber, due, stops, log, problem);
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += one[name];
  }
  return { subscriptions: history.subscribers.length, ...sum };
}

/** The events that a subscription is due, found without the code of the hub that matches them. `pages`: what was read already, by process and stream. */
async function dueTo(
  { process, types, filters, since }: Subscriber,
  hub: HubClient,
  pages: Map<string, Promise<readonly SeenEvent[]>>,
): Promise<readonly SeenEvent[]> {
  const out: SeenEvent[] = [];
  for (const stream of new Set([...types].map(streamOf))) {
    const name = `${process} ${stream}`;
    const read = pages.get(name) ?? allOf(hub, stream);
    pages.set(name, read);
    for (const event of await read) {
      if (!types.has(event.type) || Date.parse(event.recordedtime) < Date.parse(since)) continue;
      if (filters.every(({ exact }) => Object.entries(exact).every(([key, value]) => valueOf(event, key) === value)))
        out.push(event);
    }
  }
  return out;
}

async function allOf(hub: HubClient, stream: string): Promise<readonly SeenEvent[]> {
  const events: SeenEvent[] = [];
  for await (const event of hub.events(stream, '')) events.push(event);
  return events;
}

/** The first two segments of a type. */
const streamOf = (type: string): string => type.split('.').slice(0, 2).join('.');

const valueOf = (event: SeenEvent, name: string): unknown =>
  name.startsWith('data.') ? event.data?.[name.slice('data.'.length)] : event[name];

async function stopsOf({ subscription }: Subscriber, hub: HubClient): Promise<readonly Stop[]> {
  const path = `/v1/subscriptions/${subscription}`;
  const out: Stop[] = [];
  for await (const row of hub.list(`${path}/parked`, 'parked')) out.push({ ...(row as Stop), kind: 'parked' });
  for await (const row of hub.list(`${path}/dead-letters`, 'deadLetters')) out.push({ ...(row as Stop), kind: 'dead' });
  return out;
}

/** Exported for specs. */
export function judgeSubscriber(
  { process, subscription, arrivals }: Subscriber,
  due: readonly SeenEvent[],
  stops: readonly Stop[],
  log: WholeLog,
  problem: Problem,
): Omit<Deliveries, 'subscriptions'> {
  const who = `${process} ${subscription}`;
  const known = new Map(due.map((event) => [event.position, event]));
  const arrived = new Map<string, number>();
  const taken = new Map<string, number>();
  for (const arrival of arrivals) {
    const event = known.get(arrival.position);
    if (event === undefined || idOf(event) !== idOf(arrival)) {
      problem(`delivered, but not due: ${arrival.position} ${arrival.id} to ${who}`);
      continue;
    }
    if (!arrived.has(arrival.position)) arrived.set(arrival.position, arrival.at);
    if (arrival.taken && !taken.has(arrival.position)) taken.set(arrival.position, arrival.at);
  }
  judgeIds(arrivals, who, problem);
  const stopAt = new Map(stops.map((stop) => [stop.position, stop]));
  const sum = { matched: due.length, delivered: taken.size, parked: 0, dead: 0, misordered: 0, missing: 0 };
  for (const lane of lanesOf(due, log)) {
    let stop: Stop | undefined;
    let held = 0;
    /** When the last one of the earlier events was taken. */
    let clear = -1;
    let before = '';
    for (const { position, subject } of lane) {
      const first = arrived.get(position);
      if (first !== undefined && first < clear) {
        sum.misordered++;
        problem(`order: ${who} was sent ${position} before ${before} was taken (${subject})`);
      }
      const at = taken.get(position);
      if (at !== undefined) {
        if (at > clear) [clear, before] = [at, position];
        continue;
      }
      const own = stopAt.get(position);
      if (stop === undefined && own !== undefined) {
        stop = own;
        [clear, before] = [Number.POSITIVE_INFINITY, position];
      } else if (stop !== undefined) held++;
      if (stop === undefined) {
        sum.missing++;
        problem(`not delivered: ${position} (${subject}) to ${who}`);
      } else sum[stop.kind]++;
    }
    if (stop !== undefined && stop.held !== held)
      problem(`held: ${who} has ${stop.held} events behind ${stop.position}, and ${held} were not delivered`);
  }
  return sum;
}

/** A repeat has the webhook-id of the first try, and no two events share one. */
function judgeIds(arrivals: readonly Arrival[], who: string, problem: Problem): void {
  const idAt = new Map<string, string>();
  const eventOf = new Map<string, string>();
  for (const { position, webhookId } of arrivals) {
    const id = idAt.get(position) ?? webhookId;
    if (id !== webhookId) problem(`webhook-id: ${position} came to ${who} as ${id} and as ${webhookId}`);
    idAt.set(position, id);
    const event = eventOf.get(webhookId) ?? position;
    if (event !== position) problem(`webhook-id: ${webhookId} came to ${who} for ${event} and for ${position}`);
    eventOf.set(webhookId, event);
  }
}

/** Events of each subject, in the order of the log. */
function lanesOf(due: readonly SeenEvent[], log: WholeLog): Iterable<readonly SeenEvent[]> {
  const at = ({ position }: SeenEvent): LogLine => log.byPosition.get(position)!;
  const lanes = new Map<string, SeenEvent[]>();
  for (const event of due) {
    const { stream, partition, subject } = at(event);
    const name = `${stream}/${partition}\n${subject}`;
    const lane = lanes.get(name);
    if (lane === undefined) lanes.set(name, [event]);
    else lane.push(event);
  }
  for (const lane of lanes.values())
    lane.sort((a, b) => (at(a).offset < at(b).offset ? -1 : at(a).offset > at(b).offset ? 1 : 0));
  return lanes.values();
}
