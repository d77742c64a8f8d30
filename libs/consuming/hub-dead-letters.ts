import { faultOf, type Connection, type Reply } from '#sdk';
import { ConsumerFault, reasonOf, remedyOf } from './fault.js';
import type { DeadLetter, DeadLetters } from './handler.js';

export interface HubDeadLettersOptions {
  readonly connection: Connection;
  readonly key: string;
  /** The unit of the key: `SU…` or `EXT-…`. */
  readonly owner: string;
  /** Name of the consumer; the hub keeps its letters under `<owner>.<group>`, in lower case the owner. A name that begins so stays as it is. */
  readonly group: string;
}

const TIMEOUT_MS = 10_000;
/** The hub takes reasons and codes of at most this length. */
const MAX_REASON = 500;
const MAX_CODE = 60;

/**
 * Dead letters in the hub, for 90 days: the position of the event and why it was given up, no data (`GET /v1/dead-letters/{group}`). The first letter of a
 * position counts, so one that is written again after a crash changes nothing.
 */
export class HubDeadLetters implements DeadLetters {
  /** Under this name the hub keeps the letters: `su00123.simkim`. */
  readonly group: string;
  readonly #options: HubDeadLettersOptions;

  constructor(options: HubDeadLettersOptions) {
    const own = `${options.owner.toLowerCase()}.`;
    this.group = options.group.startsWith(own) ? options.group : own + options.group;
    this.#options = options;
  }

  /** Asks the hub whether it takes letters of this group. Rejects with `ConsumerFault` `letter_refused`, or a retryable `SdkFault`: no answer. */
  async check(): Promise<void> {
    const shape = ({ letters }: Readonly<Record<string, unknown>>): boolean => Array.isArray(letters);
    const { connection, key } = this.#options;
    this.#take(await connection.call(`${this.#path()}?limit=1`, { key, shape, timeoutMs: TIMEOUT_MS }));
  }

  /**
   * Resolves when the letter is durable. Rejects with a retryable `SdkFault` while the hub cannot take it, and the consumer writes it again; with `ConsumerFault`
   * `letter_refused` when the hub never takes it (no such group, too many letters, an event that the key may not read), and the consumer ends.
   */
  async write({ event: { position }, cause, attempts, failedtime }: DeadLetter): Promise<void> {
    const { connection, key } = this.#options;
    const message = cut(cause.message, MAX_REASON) || 'no reason';
    const code = cause.code === undefined ? {} : { code: cut(cause.code, MAX_CODE) };
    const reply = await connection.call(this.#path(), {
      method: 'POST',
      key,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ position, cause: { ...code, message }, attempts, lasttime: failedtime }),
      timeoutMs: TIMEOUT_MS,
      shape: (body) => body['position'] === position,
    });
    this.#take(reply);
  }

  #path(): string {
    return `/v1/dead-letters/${encodeURIComponent(this.group)}`;
  }

  #take({ status, body, retryAfterMs }: Reply): void {
    if (status < 400) return;
    const fault = faultOf(status, body, retryAfterMs);
    if (fault.retryable) throw fault;
    const remedy =
      remedyOf(status) ??
      `A group is named in a-z, 0-9, ".", "_" and "-"; \`simpul dead ls ${this.group}\` lists its letters`;
    const line = `the hub takes no dead letter of the group ${this.group}: ${reasonOf(fault)}. ${remedy}`;
    throw new ConsumerFault('letter_refused', line, fault);
  }
}

/** Without half a character at the end: the hub refuses text that is no Unicode. */
const cut = (text: string, most: number): string => text.slice(0, most).toWellFormed();
