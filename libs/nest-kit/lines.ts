import { reasonOf, type ConsumerReport, type HubSourceReport } from '#consuming';
import type { WebhookReport } from '#receiving';
import { isSdkFault } from '#sdk';
import { Logger } from '@nestjs/common';

const AGAIN_MS = 60_000;

/** What a consumer tells, as lines of the logger of the app; the same cause of the same type at most once a minute. */
export class Lines {
  readonly #log = new Logger('Simpul');
  readonly #told = new Map<string, { at: number; again: number }>();
  /** Streams that the hub does not give: one line for all of them, however long it lasts. */
  readonly #away = new Set<string>();
  #awaySince = 0;

  consumer(): ConsumerReport {
    return {
      failed: ({ type, position, attempt, cause, next }) => {
        const reason = reasonOf(cause);
        const times = this.#again(`${type} ${next} ${reason}`);
        if (times === undefined) return;
        const line = `the handler of ${type} failed at ${position}, attempt ${attempt}, next: ${next}: ${reason}${times}`;
        if (next === 'retry' || next === 'hub') this.#log.warn(line);
        else this.#log.error(line, cause instanceof Error ? cause.stack : undefined);
      },
      placeFailed: (feed, cause) => {
        const times = this.#again(`place ${feed}`);
        if (times !== undefined) this.#log.error(`the place of ${feed} is not stored: ${reasonOf(cause)}${times}`);
      },
    };
  }

  webhook(): WebhookReport {
    return {
      refused: ({ reason, status, detail }) => {
        const times = this.#again(`webhook ${reason}`);
        if (times === undefined) return;
        this.#log.warn(`a webhook is refused, ${status} ${reason}${detail === undefined ? '' : `: ${detail}`}${times}`);
      },
      failed: ({ type, position, attempt, status, cause }) => {
        const reason = reasonOf(cause);
        const times = this.#again(`${type} ${status} ${reason}`);
        if (times === undefined) return;
        const line = `the handler of ${type} failed at ${position}, try ${attempt} of the hub, answered ${status}: ${reason}${times}`;
        if (status === 422) this.#log.error(line, cause instanceof Error ? cause.stack : undefined);
        else this.#log.warn(line);
      },
    };
  }

  source(): HubSourceReport {
    return {
      damaged: (_stream, positions) => {
        for (const position of positions)
          this.#log.error(`corrupt_record ${position}: the hub cannot read it any more`);
      },
      gap: (stream, code) =>
        this.#log.error(`events of ${stream} are missing (${code}): reading goes on at the oldest`),
      unreachable: (stream, cause) => {
        if (this.#away.size === 0) {
          this.#awaySince = Date.now();
          this.#log.warn(`the hub gives no events of ${stream}, asking on: ${cause.message}`);
        }
        this.#away.add(stream);
      },
      reachable: (stream) => {
        if (this.#away.delete(stream) && this.#away.size === 0)
          this.#log.log(`the hub gives events again, after ${spanOf(Date.now() - this.#awaySince)}`);
      },
    };
  }

  /** Handlers of classes that no module has: Nest never makes them, and nobody else would say it. */
  forgotten(names: readonly string[]): void {
    if (names.length === 0) return;
    this.#log.warn(
      `${names.join(', ')} ${names.length === 1 ? 'gets no events: no module has its class' : 'get no events: no module has their classes'}. Add the class to the providers or controllers of a module`,
    );
  }

  /** A refusal of emit() that nobody waits for. */
  notPublished(type: string, cause: unknown): void {
    const hint = isSdkFault(cause) ? cause.problem.hint : undefined;
    const reason = `${reasonOf(cause).replace(/\.$/, '')}.${hint === undefined ? '' : ` ${hint}`}`;
    const times = this.#again(`emit ${type} ${reason}`);
    if (times === undefined) return;
    this.#log.error(
      `an event ${type} of emit() has no receipt: ${reason} Nobody is subscribed: await firstValueFrom(client.emit(…)), or use SimpulPublisher.publish()${times}`,
    );
  }

  /** Of a source that brings its own words. */
  told(line: string): void {
    this.#log.warn(line);
  }

  ended(fault: unknown): void {
    this.#log.error(`no event is handled any more, so the process ends: ${reasonOf(fault)}`);
  }

  /** How often the same was not told since its last line, as text; undefined: it was told less than a minute ago. */
  #again(what: string): string | undefined {
    const now = Date.now();
    const last = this.#told.get(what);
    if (last !== undefined && now - last.at < AGAIN_MS) {
      last.again++;
      return undefined;
    }
    if (this.#told.size >= 1_000) this.#told.clear();
    this.#told.set(what, { at: now, again: 0 });
    return last === undefined || last.again === 0 ? '' : ` (and ${last.again} times since the last line)`;
  }
}

function spanOf(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 2) return `${Math.round(ms / 1_000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
