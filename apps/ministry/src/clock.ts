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

/** Minutes after midnight WIB of "HH:MM". */
export function minutes(text: string): number {
  const [h = '0', m = '0'] = text.split(':');
  return Number(h) * 60 + Number(m);
}

/**
 * The clock of the simulated day: runs `speed` times faster than the wall and does what was planned when its time has come.
 * Day 1 is 15 July 2021; days stay within July 2021.
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

  /** Sets the clock to the start of the day: called when everything is planned. */
  begin(): void {
    this.#mark = this.#wall();
    this.#elapsed = 0;
  }

  /** The clock stands still while `held`: a slow machine makes the day longer, not later. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#elapsed = this.#run();
    this.#mark = this.#wall();
    this.#held = held;
  }

  #run(): number {
    return this.#held ? this.#elapsed : this.#elapsed + this.#wall() - this.#mark;
  }

  /** ms since 1970, simulated. */
  now(): number {
    return Math.floor(this.#startAt + this.#run() * this.speed);
  }

  iso(ms = this.now()): string {
    return new Date(ms).toISOString();
  }

  /** The instant of "HH:MM" WIB today. */
  at(time: string, plusMinutes = 0): number {
    return this.#midnight + (minutes(time) + plusMinutes) * MINUTE;
  }

  /** The instant of "HH:MM" local time of a zone. */
  local(time: string, tz: string | undefined, plusMinutes = 0): number {
    return this.at(time, plusMinutes - (tz === 'WIT' ? 120 : tz === 'WITA' ? 60 : 0));
  }

  /** A day of the calendar, `days` from today. */
  day(days: number): string {
    return new Date(Date.parse(`${this.date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
  }

  /** "10.04" WIB. */
  label(ms = this.now()): string {
    return new Date(ms + WIB).toISOString().slice(11, 16).replace(':', '.');
  }

  dateLabel(lang: 'id' | 'en'): string {
    const [y, m, d] = this.date.split('-').map(Number);
    return `${d} ${MONTHS[lang][m! - 1]} ${y}`;
  }

  plan(at: number, run: () => void): void {
    this.#tasks.push({ at, run });
    this.#sorted = false;
  }

  /** `minutes` of simulated time from now. */
  after(wait: number, run: () => void): void {
    this.plan(this.now() + wait * MINUTE, run);
  }

  get planned(): number {
    return this.#tasks.length;
  }

  /** Does what is due, at most `most`; answers how many were done. */
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
