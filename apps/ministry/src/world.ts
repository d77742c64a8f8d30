import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connect, createReader, type Connection, type UnitRow } from '#sdk';
import { Random } from './random.js';
import { DayClock, minutes } from './clock.js';
import { Directorates } from './directorates.js';
import { DAY_END, DAY_START, type BanLists, type Day } from './day.js';
import { Subscriptions } from './subscriptions.js';
import { History } from './history.js';
import { readKeys } from './keys.js';
import { NetworkLink } from './network-link.js';
import { Office } from './office.js';
import { Offices } from './offices.js';
import type { MinistryOptions } from './options.js';
import { Tally } from './tally.js';
import { Pulls } from './pulls/pulls.js';
import { Webhooks } from './webhooks/webhooks.js';

/** The prison that loses its network link. */
const OFFLINE_PRISON = 'LAPAS-81-WAHAI';

export interface World {
  readonly day: Day;
  readonly offline: { readonly office: Office; readonly link: NetworkLink };
  readonly history: History;
  readonly directorates: Directorates;
  readonly webhooks: Webhooks;
  readonly pulls: Pulls;
  readonly connection: Connection;
  readonly faults: string[];
  /** Stores the last sequence number (`urutanunit`) of every source for the next day. */
  saveSequences(): void;
  close(): Promise<void>;
}

/** `Publisher.sequences()` of each office, by owner. */
type Sequences = Record<string, Record<string, number>>;

/** Reads units and keys, opens one office for each key, and builds the shared parts of the day. Retries while the hub is still starting. */
export async function buildWorld(o: MinistryOptions): Promise<World> {
  const retry = { firstMs: 60, maxMs: 1500 };
  const connection = connect({ url: o.url, language: o.lang, connections: 24, timeoutMs: 15_000, retry });
  const keys = readKeys(o.keys);
  const began = new Date(Date.now() - 1000).toISOString();
  const units: UnitRow[] = [];
  const first = keys.find((k) => k.unit.startsWith('SU'));
  if (first === undefined) throw new Error(`${o.keys}: no key of a unit`);
  for await (const u of createReader({ connection, key: first.key }).units()) units.push(u);
  const byId = new Map(units.map((u) => [u.id, u]));

  const speed = ((minutes(DAY_END) - minutes(DAY_START)) * 60) / o.seconds;
  const clock = new DayClock(o.day, speed, DAY_START);
  const random = new Random(`${o.seed}/${o.day}`);
  const history = new History(o.history);
  const tally = new Tally();
  tally.unitTotal = units.length;
  const sequencesFile = join(dirname(o.history), 'urutan.json');
  const sequences: Sequences = existsSync(sequencesFile)
    ? (JSON.parse(readFileSync(sequencesFile, 'utf8')) as Sequences)
    : {};
  const link = new NetworkLink(connection);

  const offices = new Offices(
    units,
    keys.map((own) => {
      const unit = byId.get(own.unit);
      return new Office(own, unit, {
        connection: unit?.code === OFFLINE_PRISON ? link.connection : connection,
        clock,
        random: random.fork(own.unit),
        history,
        tally,
        ...(sequences[own.unit] === undefined ? {} : { sequences: sequences[own.unit]! }),
      });
    }),
  );
  const faults: string[] = [];
  const fault = (text: string): void => void faults.push(text);
  const directorates = new Directorates({ access: o.kafka, from: began, history, tally, fault });
  const webhooks = new Webhooks({ url: o.url, from: began, history });
  const pulls = new Pulls({ url: o.url, from: began, history, fault });
  const subscriptions = new Subscriptions(began, { fault }, directorates, webhooks, pulls);
  const lists: BanLists = new Map();
  const stories = { running: 0, failed: fault };
  const day: Day = { number: o.day, scale: o.scale, clock, random, offices, subscriptions, tally, lists, stories };
  return {
    day,
    offline: { office: offices.need(OFFLINE_PRISON), link },
    history,
    directorates,
    webhooks,
    pulls,
    connection,
    faults,
    saveSequences() {
      for (const office of offices.all) sequences[office.owner] = office.publisher.sequences();
      writeFileSync(sequencesFile, JSON.stringify(sequences));
    },
    async close() {
      await Promise.allSettled(offices.all.map((office) => office.publisher.close()));
      history.close();
      await Promise.all([connection.close(), pulls.close()]);
    },
  };
}
