import { isUnknownTopic } from './platformatic/index.js';
import type { TopicShape } from './types.js';

export interface ShapeRequestsDeps {
  /** One metadata request. Rejects with an error for which isUnknownTopic() is true when one of the topics is missing. */
  ask(topics: readonly string[]): Promise<ReadonlyMap<string, TopicShape>>;
  /** Topics in use whose metadata is about to be stale: they ride along. */
  stale(): readonly string[];
  /** What the answer says of such a topic. */
  took(topic: string, shape: TopicShape): void;
  /** Greatest number of topics in a request. */
  readonly most: number;
}

interface Asked {
  readonly resolve: (shape: TopicShape | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Coalesces metadata requests: topics that are asked for in one event-loop turn share a request, and those that would be asked for soon ride along. So a
 * process with a thousand topics asks once every few seconds, not a thousand times.
 */
export class ShapeRequests {
  readonly #deps: ShapeRequestsDeps;
  #asked = new Map<string, Asked[]>();

  constructor(deps: ShapeRequestsDeps) {
    this.#deps = deps;
  }

  /** The shape as Kafka has it now. undefined: there is no such topic. Rejects when Kafka does not answer. */
  get(topic: string): Promise<TopicShape | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#asked.size === 0) setImmediate(() => this.#run());
      const waiting = this.#asked.get(topic);
      if (waiting) waiting.push({ resolve, reject });
      else this.#asked.set(topic, [{ resolve, reject }]);
    });
  }

  #run(): void {
    const { ask, stale, took, most } = this.#deps;
    const asked = [...this.#asked];
    this.#asked = new Map();
    for (let at = 0; at < asked.length; at += most) {
      const part = asked.slice(at, at + most);
      const own = new Set(part.map(([topic]) => topic));
      const riders = stale().filter((topic) => !own.has(topic));
      const names = [...own, ...riders.slice(0, most - own.size)];
      void ask(names).then(
        (found) => {
          for (const topic of names) {
            const shape = found.get(topic);
            if (shape !== undefined && !own.has(topic)) took(topic, shape);
          }
          for (const [topic, waiting] of part) for (const { resolve } of waiting) resolve(found.get(topic));
        },
        (error: unknown) => {
          // one missing topic fails the whole request, and does not say which
          if (isUnknownTopic(error) && names.length > 1) for (const one of part) void this.#alone(...one);
          else for (const [, waiting] of part) this.#failed(waiting, error);
        },
      );
    }
  }

  async #alone(topic: string, waiting: readonly Asked[]): Promise<void> {
    try {
      const shape = (await this.#deps.ask([topic])).get(topic);
      for (const { resolve } of waiting) resolve(shape);
    } catch (error) {
      this.#failed(waiting, error);
    }
  }

  #failed(waiting: readonly Asked[], error: unknown): void {
    for (const { resolve, reject } of waiting)
      if (isUnknownTopic(error)) resolve(undefined);
      else reject(error);
  }
}
