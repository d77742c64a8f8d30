import { ownEvent } from '#core';
import { senderOf, type CompiledView, type RefusedEvent } from '#projection';
import type { Offered } from '#publishing';
import { hash } from 'node:crypto';
import { WATCH, type NoticeQueue } from './notice-queue.js';

export const CHANGE_TRIED = 'simpul.pengawasan.perubahan-dicoba';
const HOUR_MS = 3_600_000;
/** Source, view and key for which something may wait, in all and of one unit or party with all its systems. */
const WINDOWS = 10_000;
const WINDOWS_OF_ONE = 1_000;

export interface OwnerNoticesDeps {
  readonly queue: Pick<NoticeQueue, 'push'>;
  readonly now: () => number;
  /** @default 10,000 and 1,000 */
  readonly windows?: { readonly all: number; readonly ofOne: number };
  readonly report: {
    /** So many attempts are told to nobody, because too many are remembered. */
    dropped(events: number): void;
  };
}

/** Attempts of one source on one entry. */
interface Window {
  readonly view: string;
  readonly key: string;
  readonly source: string;
  /** The hour since 1970 of the last notice. */
  told: number;
  /** Attempts since then. */
  untold: RefusedEvent[] | undefined;
  count: number;
}

/**
 * Tells the owner of an entry, by `simpul.pengawasan.perubahan-dicoba`, that somebody else tried to change it (R5.10): the first attempt at once, further ones of
 * the same source on the same entry together, once in each full hour. The id is made of source, view, key and hour, so no restart makes a second notice in
 * one hour; what an earlier process had not told yet is told from what the list of conflicts still keeps.
 */
export class OwnerNotices {
  readonly #windows = new Map<string, Window>();
  readonly #ofOne = new Map<string, number>();

  constructor(private readonly deps: OwnerNoticesDeps) {}

  /** In any order; returns at once. */
  offer(view: CompiledView, events: readonly RefusedEvent[]): void {
    let dropped = 0;
    for (const event of events.toSorted(byTime)) {
      if (event.owner === undefined) continue;
      const hour = hourOf(event);
      const window = this.#windowOf(view, event, hour);
      if (window === undefined) dropped++;
      else if (window.count === 0 && window.told < hour) this.#tell(window, hour, [event], 1);
      else {
        if (window.told < hour) this.#tellWaiting(window);
        if (window.told < hour) this.#tell(window, hour, [event], 1);
        else {
          window.untold = window.untold === undefined ? [event] : [window.untold[0]!, event];
          window.count++;
        }
      }
    }
    if (dropped > 0) this.deps.report.dropped(dropped);
  }

  /** Tells what has waited for its hour to end, and forgets what is over. */
  flush(): void {
    const hour = Math.floor(this.deps.now() / HOUR_MS);
    for (const [name, window] of this.#windows)
      if (window.told >= hour) continue;
      else if (window.count > 0) this.#tellWaiting(window);
      else this.#forget(name, window);
  }

  #tellWaiting(window: Window): void {
    const { untold, count, told } = window;
    if (untold === undefined) return;
    window.untold = undefined;
    window.count = 0;
    this.#tell(window, told + 1, untold, count);
  }

  /** `events`: the first and the last of `count` attempts. */
  #tell(window: Window, hour: number, events: readonly RefusedEvent[], count: number): void {
    window.told = hour;
    this.deps.queue.push([{ from: senderOf(window.source), offered: noticeOf(window, hour, events, count) }]);
  }

  #windowOf(view: CompiledView, { key, owner, witness: [source] }: RefusedEvent, hour: number): Window | undefined {
    const name = [view.name, source, owner, key].join('\n');
    const known = this.#windows.get(name);
    if (known !== undefined) return known;
    const { all, ofOne } = this.deps.windows ?? { all: WINDOWS, ofOne: WINDOWS_OF_ONE };
    const sender = senderOf(source);
    const mine = this.#ofOne.get(sender) ?? 0;
    if (this.#windows.size >= all || mine >= ofOne) return undefined;
    const window: Window = { view: view.name, key, source, told: hour - 1, untold: undefined, count: 0 };
    this.#windows.set(name, window);
    this.#ofOne.set(sender, mine + 1);
    return window;
  }

  #forget(name: string, { source }: Window): void {
    this.#windows.delete(name);
    const sender = senderOf(source);
    const mine = (this.#ofOne.get(sender) ?? 1) - 1;
    if (mine === 0) this.#ofOne.delete(sender);
    else this.#ofOne.set(sender, mine);
  }
}

const hourOf = ({ recordedtime }: RefusedEvent): number => Math.floor(Date.parse(recordedtime) / HOUR_MS);

function byTime(a: RefusedEvent, b: RefusedEvent): number {
  if (a.recordedtime !== b.recordedtime) return a.recordedtime < b.recordedtime ? -1 : 1;
  return offsetOf(a) - offsetOf(b);
}

const offsetOf = ({ position }: RefusedEvent): number => Number(position.slice(position.lastIndexOf('/') + 1));

function noticeOf(
  { view, key, source }: Window,
  hour: number,
  events: readonly RefusedEvent[],
  count: number,
): Offered {
  const [first, last] = [events[0]!, events.at(-1)!];
  // The owner is part of it: an entry may have another one within the hour.
  const about = hash('sha256', [source, view, first.owner, key].join('\n'), 'base64url').slice(0, 22);
  const data = {
    pemilik: first.owner,
    ringkasan: view,
    kunci: key,
    sumber: source,
    jenis: first.type,
    jumlah: count,
    posisiPertama: first.position,
    posisiTerakhir: last.position,
    waktuPertama: first.recordedtime,
    waktuTerakhir: last.recordedtime,
  };
  return ownEvent(WATCH, { id: `${view}/${about}/${hour}`, type: CHANGE_TRIED, time: last.recordedtime, data });
}
