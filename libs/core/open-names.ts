import type { Catalogue } from '#registry';
import type { CompiledView } from '#projection';

/** Stands for every restricted stream, and for every view that folds one, in what is given out without a key, and in audit records. */
export const RESTRICTED = 'restricted';

/**
 * Names of streams and views as they may stand in metrics and health, which need no key, and in audit records: that something happens in a stream with a restricted type is for
 * its named consumers alone (R12.2), so all of them together have one name.
 */
export class OpenNames {
  readonly #catalogue: Pick<Catalogue, 'stream' | 'newest' | 'types'>;
  readonly #views: readonly CompiledView[];

  constructor(catalogue: Pick<Catalogue, 'stream' | 'newest' | 'types'>, views: readonly CompiledView[]) {
    this.#catalogue = catalogue;
    this.#views = views;
  }

  /** Whether every type of the stream is restricted: the name of a stream that others read too tells nothing. */
  isRestrictedStream(stream: string): boolean {
    const types = this.#catalogue.stream(stream)?.types ?? [];
    return types.length > 0 && types.every((type) => this.#isRestricted(type));
  }

  /** Whether the view of this name folds a restricted type. */
  isRestrictedView(view: string): boolean {
    const sources = this.#views.find(({ name }) => name === view)?.sources ?? [];
    return sources.some(({ type }) => this.#isRestricted(type));
  }

  #isRestricted(type: string): boolean {
    return this.#catalogue.newest(type)?.restricted === true;
  }

  /** Labels of a metric, with RESTRICTED in the place of a restricted stream or view, its storage and partition. */
  labels<L extends Readonly<Record<string, string>>>(labels: L): L {
    const { view = '', stream = '' } = labels;
    const hidesView = this.isRestrictedView(view);
    if (!hidesView && !this.isRestrictedStream(stream)) return labels;
    const hidden: Record<string, string> = { partition: RESTRICTED, stream: RESTRICTED };
    if (hidesView) Object.assign(hidden, { view: RESTRICTED, storage: RESTRICTED });
    return Object.fromEntries(Object.entries(labels).map(([name, text]) => [name, hidden[name] ?? text])) as L;
  }

  /** A name of a stream or a view. */
  either(name: string): string {
    return this.isRestrictedStream(name) || this.isRestrictedView(name) ? RESTRICTED : name;
  }

  /** Puts RESTRICTED in the place of each name of a restricted type, stream or view in a text, also where it is a part of a position or a door. */
  inTexts(): (text: string) => string {
    const types = this.#catalogue.types().filter((type) => type.restricted);
    const streams = [...new Set(types.map(({ stream }) => stream))].filter((stream) => this.isRestrictedStream(stream));
    const views = this.#views.map(({ name }) => name).filter((name) => this.isRestrictedView(name));
    const names = [...types.map(({ type }) => type), ...views, ...streams].sort((a, b) => b.length - a.length);
    if (names.length === 0) return (text) => text;
    const each = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
    const whole = new RegExp(`(?<![\\w.-])(?:${each})(?![\\w-]|\\.\\w)`, 'g');
    return (text) => text.replace(whole, RESTRICTED);
  }

  /** A name of a topic, `stream` or `stream/partition`. */
  topic(name: string): string {
    return this.isRestrictedStream(name.split('/', 1)[0]!) ? RESTRICTED : name;
  }
}
