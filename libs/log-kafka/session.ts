/** The request of kafkajs that proves life to the coordinator. */
const HEARTBEAT = 'Heartbeat';
/** The last request of a join: the session begins when the coordinator answers it, which is not before it was sent. */
const SYNC = 'SyncGroup';

/**
 * Since when the coordinator surely knows that a member lives: counted from when its heartbeat was sent. An answer may lie unread while the process is
 * frozen; counted from when it is read, it would make a member owner again whose partitions another one has by now (R1.6).
 */
export class SessionClock {
  /** ms since 1970. */
  #aliveAt = 0;
  readonly #sentAt = new Map<string, number>();
  /** A heartbeat was answered, and not taken yet. */
  #isOpen = false;

  /** A request was answered, whatever the answer says. `createdAt`: ms since 1970, before it was sent. */
  answered(request: string, createdAt: number): void {
    if (request === HEARTBEAT || request === SYNC) this.#sentAt.set(request, createdAt);
    if (request === HEARTBEAT) this.#isOpen = true;
  }

  /** The coordinator has not taken the last heartbeat: it does not count on this member any more. Ask it when kafkajs has read the answer. */
  get isRefused(): boolean {
    return this.#isOpen;
  }

  /** The coordinator has accepted the last heartbeat. */
  heartbeat(): void {
    this.#isOpen = false;
    this.#alive(HEARTBEAT);
  }

  /** The coordinator has taken the member into the group. */
  joined(): void {
    this.#isOpen = false;
    this.#alive(SYNC);
  }

  /** Since when, ms since 1970. 0: never. */
  get aliveAt(): number {
    return this.#aliveAt;
  }

  #alive(request: string): void {
    this.#aliveAt = Math.max(this.#aliveAt, this.#sentAt.get(request) ?? 0);
  }
}
