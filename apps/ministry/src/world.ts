import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connect, createReader, type Connection, type UnitRow } from '#sdk';
import { Chance } from './chance.js';
import { DayClock, minutes } from './clock.js';
import { DAY_END, DAY_START, type BanLists, type Day } from './day.js';
import { Ear } from './ear.js';
import { History } from './history.js';
import { readKeys } from './keys.js';
import { Line } from './line.js';
import { Office } from './office.js';
import { Offices } from './offices.js';
import type { MinistryOptions } from './options.js';
import { Tally } from './tally.js';

const DARK = 'LAPAS-81-WAHAI';

export interface World {
  readonly day: Day;
  readonly dark: { readonly office: Office; readonly line: Line };
  readonly history: History;
  readonly connection: Connection;
  readonly faults: string[];
  /** Keeps the last `urutanunit` of every source for the next day. */
  saveSequences(): void;
  close(): Promise<void>;
}

type Numbers = Record<string, Record<string, number>>;

/** Reads units and keys, opens one office per key, and sets up the flows of the day. Waits for a hub that is still starting. */
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
  const chance = new Chance(`${o.seed}/${o.day}`);
  const history = new History(o.history);
  const tally = new Tally();
  tally.unitTotal = units.length;
  const numbersFile = join(dirname(o.history), 'urutan.json');
  const numbers: Numbers = existsSync(numbersFile) ? (JSON.parse(readFileSync(numbersFile, 'utf8')) as Numbers) : {};
  const line = new Line(connection);

  const offices = new Offices(
    units,
    keys.map((own) => {
      const unit = byId.get(own.unit);
      return new Office(own, unit, {
        connection: unit?.code === DARK ? line.connection : connection,
        clock,
        chance: chance.fork(own.unit),
        history,
        tally,
        ...(numbers[own.unit] === undefined ? {} : { sequences: numbers[own.unit]! }),
      });
    }),
  );
  const faults: string[] = [];
  const ear = new Ear(began, (text) => faults.push(text));
  const lists: BanLists = new Map();
  const day: Day = { number: o.day, scale: o.scale, clock, chance, offices, ear, tally, lists };
  return {
    day,
    dark: { office: offices.need(DARK), line },
    history,
    connection,
    faults,
    saveSequences() {
      for (const office of offices.all) numbers[office.owner] = office.publisher.sequences();
      writeFileSync(numbersFile, JSON.stringify(numbers));
    },
    async close() {
      await ear.stop();
      await Promise.allSettled(offices.all.map((office) => office.publisher.close()));
      history.close();
      await connection.close();
    },
  };
}
