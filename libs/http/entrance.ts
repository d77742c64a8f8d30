import type { LimitOwner, Limits, Reached } from '#limits';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { authenticated, type Authenticate } from './authentication.js';
import type { Connections } from './connections.js';
import { endAfterBody } from './linger.js';
import { languageOf, PROBLEM_TYPE, problemOf, retryAfter } from './problem.js';
import type { Profiles } from './profile.js';
import type { RefusedLog } from './refused-log.js';
import { REGISTRY_TYPE, registryErrorOf } from './registry-error.js';
import { statusOf } from './status.js';

export interface EntranceDeps {
  readonly authenticate: Authenticate;
  readonly budgets: Limits;
  readonly connections: Connections;
  readonly profiles: Profiles;
  readonly refused: RefusedLog;
}

type Handle = (req: IncomingMessage, res: ServerResponse) => void;
type Request = readonly [req: IncomingMessage, res: ServerResponse];

interface Queue {
  readonly owner: LimitOwner;
  readonly requests: Request[];
}

/** The queues of one unit by key; the one that is served next comes first. Of an address without a key: one queue. */
type Line = Map<string, Queue>;

/** A request that comes so soon behind the work of the one before it came together with it: the event loop gives no cheaper sign of its rounds. */
const TOGETHER_MS = 1;
/** So many of them begin at once, whoever sends them. */
const AT_ONCE = 8;
/** What is begun of the queues in one round of the event loop, ms: a request that needs five rounds loses five times as much. */
const DRAIN_MS = 2;

/**
 * What every request passes before anything is done for it. When many come together, all of them would be worked on in one round of the event loop, however
 * many connections one client has: so the first ones begin at once, and behind them one of each unit (or address, without a valid key). The others wait in
 * queues by key, which are served by turns (round robin) for 2 ms in each round: by turns of the units, and in each by turns of its keys, because a unit has as
 * many keys as it likes. So a key waits for requests of its own unit and not for those of others. Requests beyond the limits are refused here, which costs
 * less than reading them.
 */
export class Entrance {
  readonly #deps: EntranceDeps;
  readonly #handle: Handle;
  readonly #now: () => number;
  /** By unit or address; the one that is served next comes first. */
  readonly #lines = new Map<string, Line>();
  /** Units and addresses of which one request has begun beside the queues in this round. */
  readonly #begun = new Set<string>();
  /** When the work of the last request that began at once was done. */
  #last = 0;
  #together = 0;
  #isDraining = false;

  constructor(deps: EntranceDeps, handle: Handle, now = performance.now.bind(performance)) {
    this.#deps = deps;
    this.#handle = handle;
    this.#now = now;
  }

  take(req: IncomingMessage, res: ServerResponse): void {
    const reached = this.#deps.connections.began(req.socket, res);
    if (reached === 'ending') return;
    if (reached !== undefined) {
      res.setHeader('connection', 'close');
      this.#refuse(req, res, reached);
    } else if (this.#lines.size === 0 && this.#isFree()) {
      this.#handle(req, res);
      this.#last = this.#now();
    } else this.#queue(req, res);
  }

  #isFree(): boolean {
    if (this.#now() - this.#last > TOGETHER_MS) this.#together = 0;
    return ++this.#together <= AT_ONCE;
  }

  #queue(req: IncomingMessage, res: ServerResponse): void {
    const owner = this.#ownerOf(req);
    // No key and no unit has a space in its name.
    const key = owner.key ?? `address ${owner.address}`;
    const name = owner.unit ?? key;
    const line = this.#lines.get(name);
    if (line === undefined && !this.#begun.has(name)) {
      this.#begun.add(name);
      this.#drainSoon();
      this.#handle(req, res);
      return;
    }
    const reached = this.#deps.budgets.queued.take(owner);
    if (reached !== undefined) {
      this.#refuse(req, res, reached);
      return;
    }
    const queue = line?.get(key);
    if (queue !== undefined) queue.requests.push([req, res]);
    else if (line !== undefined) line.set(key, { owner, requests: [[req, res]] });
    else this.#lines.set(name, new Map([[key, { owner, requests: [[req, res]] }]]));
    this.#drainSoon();
  }

  #drainSoon(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    setImmediate(() => this.#drain());
  }

  #drain(): void {
    this.#isDraining = false;
    this.#begun.clear();
    this.#together = 0;
    const end = this.#now() + DRAIN_MS;
    for (const [name, line] of this.#lines) {
      const [key, queue] = line.entries().next().value!;
      const [req, res] = queue.requests.shift()!;
      this.#deps.budgets.queued.give(queue.owner);
      // To the end of the order, where this loop comes past it again.
      line.delete(key);
      if (queue.requests.length > 0) line.set(key, queue);
      this.#lines.delete(name);
      if (line.size > 0) this.#lines.set(name, line);
      if (!req.socket.destroyed) this.#handle(req, res);
      if (this.#now() >= end) break;
    }
    if (this.#lines.size > 0) this.#drainSoon();
  }

  /** A key is looked for only here, where many requests came together: on most connections it is known, and most requests do not wait. */
  #ownerOf(req: IncomingMessage): LimitOwner {
    const { authenticate, connections, profiles } = this.#deps;
    const known = connections.ownerOf(req.socket);
    if (known !== undefined) return known;
    const caller = authenticated(profiles.of(req.url ?? '/'), req, authenticate);
    if (caller !== undefined) return { key: caller.keyId, unit: caller.owner };
    return { address: connections.addressOf(req) };
  }

  #refuse(req: IncomingMessage, res: ServerResponse, reached: Reached): void {
    const { budgets, profiles, refused } = this.#deps;
    const fault = budgets.faultOf(reached);
    const status = statusOf(fault.code);
    refused.add({ code: fault.code, status, method: req.method ?? null, route: null, request: '', keyId: null });
    const isRegistry = profiles.of(req.url ?? '/').errors === 'registry';
    const language = languageOf(req.headers['accept-language']);
    const document = isRegistry ? registryErrorOf(fault) : problemOf(fault, language, 'urn:simpul:connection');
    const body = Buffer.from(JSON.stringify(document));
    const hasBody = req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined;
    if (hasBody) res.setHeader('connection', 'close');
    res.writeHead(status, {
      'content-type': isRegistry ? REGISTRY_TYPE : PROBLEM_TYPE,
      'content-length': body.length,
      'cache-control': 'no-store',
      'retry-after': retryAfter(reached.retryAfterMs),
    });
    if (hasBody) endAfterBody(req, res, body);
    else res.end(body);
  }
}

/** Puts the entrance before the request listener that the server has. */
export function addEntrance(server: Server, deps: EntranceDeps): void {
  const [handle] = server.listeners('request') as Handle[];
  const entrance = new Entrance(deps, handle!);
  server.removeAllListeners('request').on('request', (req, res) => entrance.take(req, res));
}
