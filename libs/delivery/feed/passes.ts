import { jittered } from '#concurrency';
import type { Wanting } from './follower.js';
import type { FeedStream, Link } from './link.js';
import { Pass, type PassDeps } from './pass.js';

const RETRY_MS = 1_000;
/** Passes that rest with what they have read, for a follower that takes more in a moment. */
const MAX_KEPT = 32;

export interface PassesDeps<W extends Wanting> extends Omit<PassDeps<W>, 'leaves' | 'ready'> {
  /** Greatest number of passes that read at a time. */
  readonly atOnce: number;
  /** Called each time that a pass fails; it tries again. */
  readonly failed: (stream: FeedStream, cause: unknown) => void;
}

/** The catch-up readers of the process: few of them run at a time, one unit after the other. */
export class Passes<W extends Wanting> {
  readonly #deps: PassesDeps<W>;
  readonly #ofPass: PassDeps<W>;
  /** Those that wait for their turn, by unit, the unit that is next first. */
  readonly #waiting = new Map<string, Pass<W>[]>();
  readonly #resting = new Set<Pass<W>>();
  readonly #retries = new Map<Pass<W>, NodeJS.Timeout>();
  readonly #running = new Set<Pass<W>>();
  #closed = false;

  constructor(deps: PassesDeps<W>) {
    this.#deps = deps;
    this.#ofPass = {
      ...deps,
      leaves: (link, appendMs) => this.#alone(link, appendMs),
      ready: (pass) => this.#wake(pass),
    };
  }

  /** Readers that run, wait or rest. */
  get size(): number {
    return [...this.#all()].filter((pass) => !pass.isEmpty).length + this.#resting.size;
  }

  /** Catches a follower up, by the pages of others where somebody is near. */
  start(link: Link<W>): void {
    if (this.#closed) return;
    const near = [...this.#all()].find(
      (pass) => pass.stream.name === link.stream.name && !pass.isEmpty && pass.isNear(link.topicId, link.had),
    );
    if (near !== undefined) near.join(link);
    else this.#queue(new Pass(this.#ofPass, link));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    for (const pass of [...this.#all(), ...this.#resting]) for (const link of pass.links) pass.drop(link);
    this.#retries.clear();
    this.#waiting.clear();
    this.#resting.clear();
  }

  *#all(): Generator<Pass<W>> {
    yield* this.#running;
    for (const passes of this.#waiting.values()) yield* passes;
    yield* this.#retries.keys();
  }

  #alone(link: Link<W>, appendMs: number | undefined): void {
    const pass = new Pass(this.#ofPass, link, appendMs);
    if (link.follower.room > 0) this.#queue(pass);
    else this.#rest(pass);
  }

  #rest(pass: Pass<W>): void {
    pass.state = 'resting';
    this.#resting.add(pass);
    let kept = 0;
    for (const one of [...this.#resting].reverse()) {
      if (one.isEmpty) this.#resting.delete(one);
      else if (++kept > MAX_KEPT) one.forget();
    }
  }

  #wake(pass: Pass<W>): void {
    pass.state = 'waiting';
    if (this.#resting.delete(pass)) this.#queue(pass);
  }

  #queue(pass: Pass<W>): void {
    if (this.#closed) return;
    const ofUnit = this.#waiting.get(pass.unit);
    if (ofUnit === undefined) this.#waiting.set(pass.unit, [pass]);
    else ofUnit.push(pass);
    setImmediate(() => this.#pump());
  }

  #pump(): void {
    while (this.#running.size < this.#deps.atOnce && this.#waiting.size > 0 && !this.#closed) {
      const [unit, passes] = this.#waiting.entries().next().value!;
      const pass = passes.shift()!;
      this.#waiting.delete(unit);
      if (passes.length > 0) this.#waiting.set(unit, passes);
      if (!pass.isEmpty) void this.#run(pass);
    }
  }

  async #run(pass: Pass<W>): Promise<void> {
    this.#running.add(pass);
    let mustWait = false;
    try {
      await pass.go();
    } catch (fault) {
      const isSolved = await pass.failed(fault).catch(() => false);
      mustWait = !isSolved;
      if (mustWait) this.#deps.failed(pass.stream, fault);
    }
    this.#running.delete(pass);
    if (this.#closed) return;
    if (!pass.isEmpty) {
      if (mustWait) this.#later(pass);
      else if (pass.state === 'resting') this.#rest(pass);
      else {
        this.#gather(pass);
        this.#queue(pass);
      }
    }
    this.#pump();
  }

  /** Those who wait near the place that this one has come to go on with it. */
  #gather(pass: Pass<W>): void {
    for (const passes of this.#waiting.values())
      for (const other of passes) {
        if (other.stream.name !== pass.stream.name || !pass.isNear(other.topicId, other.position)) continue;
        for (const link of other.links) {
          link.passed(link.scanned);
          other.drop(link);
          pass.join(link);
        }
      }
  }

  #later(pass: Pass<W>): void {
    const timer = setTimeout(() => {
      this.#retries.delete(pass);
      this.#queue(pass);
    }, jittered(RETRY_MS));
    this.#retries.set(pass, timer.unref());
  }
}
