import { pause } from '#concurrency';
import type { Flow } from './day.js';
import { askLag } from './lag.js';
import type { MinistryOptions } from './options.js';
import type { Frame } from './screen/words.js';
import type { World } from './world.js';

/** The day ends as incomplete when no event was accepted, and none received by a directorate or a subscription, for this long. */
const STUCK_MS = 90_000;
/** The clock stops while more requests than this have no outcome (backpressure). */
const MAX_OPEN = 400;

export interface DayEnd {
  readonly complete: boolean;
  readonly accepted: number;
  readonly expected: number;
  readonly refused: number;
  readonly units: number;
  readonly seconds: number;
}

/** Runs the day: plans every flow, runs the clock, and ends when the hub has accepted every event that the flows announced, the directorates on Kafka have received theirs, and the hub has delivered what the subscriptions are due. */
export class Conductor {
  readonly #world: World;
  readonly #options: MinistryOptions;
  readonly #flows: readonly Flow[];
  readonly #began = performance.now();
  #stopped = false;

  constructor(world: World, flows: readonly Flow[], options: MinistryOptions) {
    this.#world = world;
    this.#flows = flows;
    this.#options = options;
  }

  stop(): void {
    this.#stopped = true;
  }

  async play(): Promise<DayEnd> {
    const { day, directorates, webhooks, pulls } = this.#world;
    const got = (): number => directorates.received + webhooks.received + pulls.received;
    let expected = 0;
    for (const flow of this.#flows) expected += await flow.plan();
    day.tally.expected = expected;
    await day.subscriptions.planned();
    day.clock.begin();
    const lag = setInterval(() => void askLag(this.#world.connection).then((s) => (day.tally.lagSeconds = s)), 1000);
    let progressAt = performance.now();
    let accepted = 0;
    let received = 0;
    while (!this.#stopped) {
      day.clock.hold(day.tally.open > MAX_OPEN);
      const done = day.clock.tick();
      if (day.tally.accepted > accepted || got() > received) progressAt = performance.now();
      ({ accepted } = day.tally);
      received = got();
      const ended = done === 0 && day.clock.planned === 0 && accepted >= expected && directorates.behind <= 0;
      if (ended && !day.offices.all.some((o) => o.busy) && day.stories.running === 0) {
        if ((await webhooks.behind()) + (await pulls.behind()) === 0) break;
        await pause(200);
      }
      if (performance.now() - progressAt > STUCK_MS) break;
      await pause(done > 0 ? 1 : 10);
    }
    clearInterval(lag);
    day.tally.lagSeconds = await askLag(this.#world.connection);
    return {
      complete: day.tally.accepted >= expected,
      accepted: day.tally.accepted,
      expected,
      refused: day.tally.refused,
      units: day.tally.units.size,
      seconds: Math.round((performance.now() - this.#began) / 100) / 10,
    };
  }

  frame(): Frame {
    const { clock, tally } = this.#world.day;
    const { lang, engine, url } = this.#options;
    return {
      date: clock.dateLabel(lang),
      time: clock.label(),
      engine,
      url,
      accepted: tally.accepted,
      refused: tally.refused,
      lagSeconds: tally.lagSeconds,
      units: tally.units.size,
      unitTotal: tally.unitTotal,
      progress: tally.progress,
      stories: tally.stories.map((f) => ({ label: f.label, text: f[lang] })),
      facts: tally.facts(4).map((f) => ({ label: f.label, text: f[lang] })),
    };
  }
}
