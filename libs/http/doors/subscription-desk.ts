import { audited, type Caller } from '#access';
import type { SubscriptionDesk, SubscriptionList } from '#delivery';
import { Fault, isFault, type Problem } from '#faults';
import type { Limits, LongWork } from '#limits';
import type { EventLog } from '#log';
import {
  isSubscriptionId,
  partitionOfSubscription,
  type PublicKey,
  type Subscription,
  type SubscriptionSpec,
} from '#subscriptions';
import type { Units } from '#units';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { AtOwner, type AtOwnerDeps } from '../at-owner.js';
import { recorded, seenBy, shown, type Standpoint } from './subscription-rights.js';

/** Token of SubscriptionsDoorDeps. */
export const SUBSCRIPTIONS_DOOR = Symbol('simpul.door.subscriptions');

/** What would have been delivered. */
export interface SpecPreview {
  /** How many events since then match. */
  readonly matched: number;
  /** RFC 3339. */
  readonly since: string;
  /** Not everything was looked at: `matched` is the least that it can be. */
  readonly incomplete?: true;
  /** At most three, as the caller sees them. */
  readonly examples: readonly object[];
}

export interface SubscriptionsDoorDeps extends AtOwnerDeps {
  /** @default lists and previews are not made in turns */
  readonly limits?: Limits;
  readonly units: Pick<Units, 'above'>;
  /** As this process reads the table: at the owner of a partition it holds every write of this owner. */
  readonly list: SubscriptionList;
  /** What is wrong with a spec of this caller (specProblems of #subscriptions); its members have the right types, and no more is known of them. */
  readonly problemsOf: (spec: SubscriptionSpec, caller: Caller) => Promise<readonly Problem[]>;
  /** What verifies the webhooks of a subscription that is signed with `v1a`; empty for others. */
  readonly publicKeys: (subscription: Subscription) => readonly PublicKey[];
  readonly preview: (spec: SubscriptionSpec, caller: Caller, work: LongWork) => Promise<SpecPreview>;
  /** How many an owner may have. */
  readonly most: number;
  /** For audit records. */
  readonly log: Pick<EventLog, 'append'>;
  readonly now: () => number;
}

/** The request at hand. */
export interface Asked {
  readonly caller: Caller;
  readonly req: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What a change of a subscription is in the audit records. */
export interface Change<T> {
  /** `subscription.pause` */
  readonly what: string;
  readonly why?: string | undefined;
  /** Facts of the change beside the subscription; never secrets, subjects or data. */
  readonly facts?: object;
  /** Facts of the answer: the job of a redrive. */
  readonly told?: (answer: T) => object;
  /** The subscription as the answer shows it, where it changed. */
  readonly changed?: (answer: T) => Subscription;
}

/** Finds subscriptions for the doors: at the process that owns them, for callers that may see them, with an audit record of every change. */
export class SubscriptionPlaces {
  readonly #deps: SubscriptionsDoorDeps;
  readonly #owners: AtOwner;

  constructor(deps: SubscriptionsDoorDeps) {
    this.#deps = deps;
    this.#owners = new AtOwner(deps);
  }

  /**
   * Runs `work` at the owner of a subscription. `least` owner: only keys of its owner with the role reader may do this. Faults: not_found, also for a subscription that
   * the caller may not see; forbidden for a unit above where it may only look; those of AtOwner.
   */
  async at<T>(
    id: string,
    { caller, req, reply }: Asked,
    least: Standpoint,
    work: (desk: SubscriptionDesk, subscription: Subscription, as: Standpoint) => Promise<T>,
  ): Promise<T | Readable> {
    if (!isSubscriptionId(id)) throw new Fault('not_found');
    const { list, units } = this.#deps;
    // Whether there is one, and for whom, only the owner knows for sure: another process may not have read it yet.
    return this.#owners.run(partitionOfSubscription(id), req, reply, async (desk) => {
      const { subscription, as } = seenBy(caller, list.get(id), units);
      if (least === 'owner' && as === 'above')
        throw new Fault('forbidden', { detail: `a key of ${subscription.owner} with the role reader` });
      return work(desk, subscription, as);
    });
  }

  /** As at(), for a subscription that is to be made: its name has its id, so one process decides whether the name is taken. */
  atNew<T>(
    id: string,
    { req, reply }: Pick<Asked, 'req' | 'reply'>,
    work: (desk: SubscriptionDesk) => Promise<T>,
  ): Promise<T | Readable> {
    return this.#owners.run(partitionOfSubscription(id), req, reply, work);
  }

  /** A subscription as this caller sees it. */
  shown(subscription: Subscription, as: Standpoint, status?: string): object {
    return shown(subscription, as, this.publicKeys(subscription), status);
  }

  /** What verifies its webhooks. A secret that cannot be opened hides no subscription. */
  publicKeys(subscription: Subscription): readonly PublicKey[] {
    try {
      return this.#deps.publicKeys(subscription);
    } catch (e) {
      if (isFault(e) && e.code === 'control_record_unreadable') return [];
      throw e;
    }
  }

  /** Runs a change of a subscription between two audit records. Fault not_durable: it was not done. */
  change<T>(caller: Caller, before: Subscription, change: Change<T>, action: () => Promise<T>): Promise<T> {
    const { log, now } = this.#deps;
    const { what, why, facts, told, changed } = change;
    const { id, owner } = before;
    const about = { id, owner, ...facts };
    return audited(
      { log, now },
      { who: caller, what, target: id, why, before: recorded(before), after: about },
      action,
      (answer) => ({ ...about, ...told?.(answer), ...(changed === undefined ? {} : recorded(changed(answer))) }),
    );
  }
}
