import { isHubAdmin, isOwnSource, type Caller } from '#access';
import { withDeadline } from '#concurrency';
import type { Desks, ReaderReceipt } from '#delivery';
import { parseSource } from '#event';
import { COURIER_PARTITIONS } from '#subscriptions';
import type { Units } from '#units';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { FORWARDED, type Forwarder } from '../forward.js';

/** Token of ReadersDeps; without a provider, receipts name no readers. */
export const READERS = Symbol('simpul.door.readers');

export interface ReadersDeps {
  readonly desks: Desks;
  readonly forwarder: Pick<Forwarder, 'send'>;
  readonly units: Pick<Units, 'above'>;
  /** How long each owner is waited for. @default 1 s */
  readonly waitMs?: number;
}

export const READER_SHAPE = z.object({
  subscription: z.string(),
  owner: z.string(),
  state: z.enum(['pending', 'delivered', 'parked', 'dead', 'filtered']),
  at: z.string().optional(),
  tries: z.number().optional(),
  status: z.number().optional(),
  assumed: z.literal(true).optional(),
});
/** What another process answers of its own partitions. */
const PART = z.object({ readers: z.array(READER_SHAPE), readersOf: z.array(z.number()) });

export interface ShownReaders {
  readonly readers: readonly ReaderReceipt[];
  /** Not every owner has answered in time: there may be more readers. */
  readonly readersIncomplete?: true;
  /** To another process of the hub: the partitions that it has asked about and that are here. */
  readonly readersOf?: readonly number[];
}

interface Part {
  readonly partitions: readonly number[];
  readonly readers: readonly ReaderReceipt[];
}
const NOTHING: Part = { partitions: [], readers: [] };
const WAIT_MS = 1_000;

/** Who got an event: asks the owners of all subscriptions side by side. */
export class Readers {
  readonly #deps: ReadersDeps;

  constructor(deps: ReadersDeps) {
    this.#deps = deps;
  }

  /**
   * What each reader made of the event at this position that the caller may know of. The publisher, and a unit above it, know who gets the event, and how far that is;
   * everybody knows its own subscriptions. That a subscription of others does not match is nobody's business. Never fails: an owner that does not answer within a second
   * makes the answer incomplete.
   */
  async of(position: string, source: string, caller: Caller, req: FastifyRequest): Promise<ShownReaders> {
    const wasForwarded = req.headers[FORWARDED] !== undefined;
    const parts = await Promise.all([...this.#here(position), ...(wasForwarded ? [] : this.#there(req))]);
    const knowsAll = this.#isPublisher(caller, source);
    const readers = parts
      .flatMap((part) => part.readers)
      .filter((reader) => isOwn(caller, reader) || (knowsAll && reader.state !== 'filtered'))
      .toSorted((a, b) => (a.subscription < b.subscription ? -1 : 1));
    const answered = new Set(parts.flatMap((part) => part.partitions));
    if (wasForwarded) return { readers, readersOf: [...answered] };
    return { readers, ...(answered.size < COURIER_PARTITIONS ? { readersIncomplete: true } : {}) };
  }

  *#here(position: string): Iterable<Promise<Part>> {
    const { desks, waitMs = WAIT_MS } = this.#deps;
    for (let partition = 0; partition < COURIER_PARTITIONS; partition++) {
      const place = desks.of(partition);
      if (place.kind !== 'here') continue;
      const asked = place.desk.receipts(position).then((readers): Part => ({ partitions: [partition], readers }));
      yield withDeadline(asked, waitMs, () => NOTHING).catch(() => NOTHING);
    }
  }

  /** One request to each process, with the key of the caller: it decides by itself what the caller may know. */
  *#there(req: FastifyRequest): Iterable<Promise<Part>> {
    const { desks } = this.#deps;
    const addresses = new Map<string, Set<number>>();
    for (let partition = 0; partition < COURIER_PARTITIONS; partition++) {
      const place = desks.of(partition);
      if (place.kind !== 'there') continue;
      const asked = addresses.get(place.address);
      if (asked === undefined) addresses.set(place.address, new Set([partition]));
      else asked.add(partition);
    }
    for (const [address, asked] of addresses) yield this.#ask(req, address, asked).catch(() => NOTHING);
  }

  async #ask(req: FastifyRequest, address: string, asked: ReadonlySet<number>): Promise<Part> {
    const { forwarder, waitMs = WAIT_MS } = this.#deps;
    const sent = await forwarder.send(req, address, AbortSignal.timeout(waitMs));
    if (sent.kind !== 'answered') return NOTHING;
    const { readers, readersOf } = PART.parse(await sent.answer.body.json());
    return { partitions: readersOf.filter((p) => asked.has(p)), readers: readers as readonly ReaderReceipt[] };
  }

  #isPublisher(caller: Caller, source: string): boolean {
    if (isOwnSource(caller, source) || isHubAdmin(caller)) return true;
    const parsed = parseSource(source);
    return parsed?.kind === 'unit' && this.#deps.units.above(parsed.unit).has(caller.owner);
  }
}

const isOwn = ({ owner, roles }: Caller, reader: ReaderReceipt): boolean =>
  reader.owner === owner && roles.has('reader');
