const MINUTE = 60_000;
/** WIB is UTC+7; WITA and WIT are one and two hours ahead. */
const WIB = 7 * 60 * MINUTE;
const MONTHS = {
  id: 'Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember'.split(' '),
  en: 'January February March April May June July August September October November December'.split(' '),
};

export interface Task {
  readonly at: number;
  readonly run: () => void;
}

/** Minutes after midnight of "HH:MM". */
export function minutes(text: string): number {
  const [h = '0', m = '0'] = text.split(':');
  return Number(h) * 60 + Number(m);
}

/**
 * The clock of the simulated day: it runs `speed` times faster than real time, and `tick` runs the tasks that are due.
 * Day 1 is 15 July 2021; day 17 is 31 July, and day 18 is 15 July again.
 */
export class DayClock {
  readonly date: string;
  readonly speed: number;
  readonly #midnight: number;
  #mark: number;
  #elapsed = 0;
  #held = false;
  readonly #startAt: number;
  readonly #wall: () => number;
  #tasks: Task[] = [];
  #sorted = true;

  constructor(day: number, speed: number, start: string, wall: () => number = () => performance.now()) {
    const d = 15 + ((day - 1) % 17);
    this.date = `2021-07-${String(d).padStart(2, '0')}`;
    this.speed = speed;
    this.#midnight = Date.parse(`${this.date}T00:00:00Z`) - WIB;
    this.#startAt = this.#midnight + minutes(start) * MINUTE;
    this.#wall = wall;
    this.#mark = wall();
  }

  /** Sets the clock to the start of the day. Call it when all tasks are planned. */
  begin(): void {
    this.#mark = this.#wall();
    this.#elapsed = 0;
  }

  /** Stops the clock while `held` (backpressure): on a slow machine the day takes longer, but no event is late in simulated time. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#elapsed = this.#run();
    this.#mark = this.#wall();
    this.#held = held;
  }

  #run(): number {
    return this.#held ? this.#elapsed : this.#elapsed + this.#wall() - this.#mark;
  }

  /** Simulated time, ms since 1970. */
  now(): number {
    return Math.floor(this.#startAt + this.#run() * this.speed);
  }

  iso(ms = this.now()): string {
    return new Date(ms).toISOString();
  }

  /** Simulated time of "HH:MM" WIB today, ms since 1970. */
  at(time: string, plusMinutes = 0): number {
    return this.#midnight + (minutes(time) + plusMinutes) * MINUTE;
  }

  /** Simulated time of "HH:MM" in a time zone of Indonesia, ms since 1970. */
  local(time: string, tz: string | undefined, plusMinutes = 0): number {
    return this.at(time, plusMinutes - (tz === 'WIT' ? 120 : tz === 'WITA' ? 60 : 0));
  }

  /** The date `days` from today, as YYYY-MM-DD. */
  day(days: number): string {
    return new Date(Date.parse(`${this.date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
  }

  /** Time of day in WIB, written as "10.04". */
  label(ms = this.now()): string {
    return new Date(ms + WIB).toISOString().slice(11, 16).replace(':', '.');
  }

  dateLabel(lang: 'id' | 'en'): string {
    const [y, m, d] = this.date.split('-').map(Number);
    return `${d} ${MONTHS[lang][m! - 1]} ${y}`;
  }

  /** Runs a task at a simulated time. */
  plan(at: number, run: () => void): void {
    this.#tasks.push({ at, run });
    this.#sorted = false;
  }

  /** Runs a task after some minutes of simulated time. */
  after(minutesFromNow: number, run: () => void): void {
    this.plan(this.now() + minutesFromNow * MINUTE, run);
  }

  /** Tasks that were not run yet. */
  get planned(): number {
    return this.#tasks.length;
  }

  /** Runs the tasks that are due, in order of their times, at most `most`. Returns how many ran. */
  tick(most = 400): number {
    if (!this.#sorted) {
      this.#tasks.sort((a, b) => b.at - a.at);
      this.#sorted = true;
    }
    const now = this.now();
    const due: Task[] = [];
    while (due.length < most && this.#tasks.length > 0 && this.#tasks.at(-1)!.at <= now) due.push(this.#tasks.pop()!);
    for (const task of due) task.run();
    return due.length;
  }
}
