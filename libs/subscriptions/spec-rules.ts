import { mayKnowType } from '#access';
import { parsePosition, timeMsOf } from '#event';
import { verbatim, type Problem, type Text } from '#faults';
import { TEST_EVENTS } from '#log';
import type { Catalogue } from '#registry';
import type { Units } from '#units';
import { callerOf } from './caller.js';
import { isObject, pointed, readFilters, textOf } from './filter-rules.js';
import type { SubscriptionSpec, Target, UnitSelector } from './subscription.js';
import { typePattern } from './type-pattern.js';
import { texts } from './texts.js';
import { isOwn, ownType } from './unit-choice.js';

export const SPEC_LIMITS = { patterns: 50, urlLength: 2_048, problems: 50 };
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const SPEC = ['name', 'types', 'filters', 'units', 'start', 'test', 'target', 'temporary'];
const SELECTOR = ['function', 'province', 'below'];
const WEBHOOK = ['kind', 'url', 'mode', 'data', 'signature', 'handshake'];
const MODES = ['structured', 'binary', 'batch'] as const;
const DATA = ['json', 'avro'] as const;
const SIGNATURES = ['v1', 'v1a'] as const;

/** What a spec is checked by. */
export interface SpecRules {
  /** Of the key that asks: its rights, as a reader, decide which types there are for this subscription. */
  readonly owner: string;
  readonly system: string;
  readonly catalogue: Pick<Catalogue, 'types' | 'streams'>;
  readonly units: Units;
  /** Why a webhook may not go to this address, as far as it can be said without looking a name up; none: it may. @default nothing is said */
  readonly urlProblems?: (url: string) => readonly Pick<Problem, 'reason' | 'expected'>[];
}

/** Whether a webhook may go to an address. `url`: as it is sent to. */
export type UrlRule = (
  url: string,
) => Promise<
  { readonly ok: true; readonly url: string } | { readonly ok: false; readonly reason: Text; readonly expected?: Text }
>;

export type SpecRead =
  | { readonly ok: true; readonly spec: SubscriptionSpec }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * What its owner decides of a subscription, read from JSON of unknown shape and checked: every rule of its content stands here. Answers all problems, at most 50, with pointers
 * into `given`. What is left out: `filters` none, `start` now, `test` false, of a webhook `mode` structured and `data` json. For a change give the whole spec, the old one
 * with the changed members. A type that the owner may not know (R12.2) is answered like one that does not exist. Pure and total.
 */
export function readSpec(given: unknown, rules: SpecRules): SpecRead {
  if (!isObject(given)) return { ok: false, problems: [{ pointer: '', reason: texts.not_an_object() }] };
  const reader = new SpecReader(given, rules);
  const spec = reader.read();
  return reader.problems.length === 0
    ? { ok: true, spec }
    : { ok: false, problems: reader.problems.slice(0, SPEC_LIMITS.problems) };
}

/**
 * As readSpec, with the address of a webhook. It is asked for only when everything else is right, because it looks names up; in the spec it stands as it is sent to.
 * Rejects as the rule does.
 */
export async function readSpecWithUrl(given: unknown, rules: SpecRules, mayGoTo: UrlRule): Promise<SpecRead> {
  const read = readSpec(given, rules);
  if (!read.ok || read.spec.target.kind !== 'webhook') return read;
  const { spec } = read;
  const answer = await mayGoTo(read.spec.target.url);
  if (answer.ok) return { ok: true, spec: { ...spec, target: { ...read.spec.target, url: answer.url } } };
  const { reason, expected } = answer;
  return { ok: false, problems: [{ pointer: '/target/url', reason, ...(expected === undefined ? {} : { expected }) }] };
}

/** Problems of a spec, without a look-up of the address of a webhook; none: it can be made. */
export function specProblems(spec: unknown, rules: SpecRules): readonly Problem[] {
  const read = readSpec(spec, rules);
  return read.ok ? [] : read.problems;
}

class SpecReader {
  readonly problems: Problem[] = [];
  readonly #given: Readonly<Record<string, unknown>>;
  readonly #rules: SpecRules;

  constructor(given: Readonly<Record<string, unknown>>, rules: SpecRules) {
    this.#given = given;
    this.#rules = rules;
  }

  read(): SubscriptionSpec {
    const given = this.#given;
    this.#unknownMembers(given, SPEC, '');
    const test = given['test'] ?? false;
    if (typeof test !== 'boolean') this.#add('/test', texts.not_true_or_false());
    const types = this.#types(given['types']);
    const filters = readFilters(given['filters'], '/filters');
    this.problems.push(...filters.problems);
    const units = given['units'] === undefined ? undefined : this.#units(given['units']);
    return {
      name: this.#name(given['name']),
      types,
      filters: filters.filters,
      ...(units === undefined ? {} : { units }),
      start: this.#start(given['start'] ?? 'now', types, test === true),
      test: test === true,
      ...this.#targetAndTime(given),
    };
  }

  #targetAndTime(given: Readonly<Record<string, unknown>>): Pick<SubscriptionSpec, 'target' | 'temporary'> {
    const target = this.#target(given['target']);
    const { temporary = false } = given;
    if (typeof temporary !== 'boolean') this.#add('/temporary', texts.not_true_or_false());
    if (temporary !== true) return { target };
    if (target.kind !== 'sse') this.#add('/temporary', texts.temporary_not_live(), verbatim('target: {"kind": "sse"}'));
    return { target, temporary };
  }

  #add(pointer: string, reason: Text, expected?: Text): void {
    this.problems.push({ pointer, reason, ...(expected === undefined ? {} : { expected }) });
  }

  #unknownMembers(given: Readonly<Record<string, unknown>>, known: readonly string[], at: string): void {
    const names = Object.keys(given).filter((name) => !known.includes(name));
    for (const name of names.slice(0, 10))
      this.#add(`${at}/${pointed(name)}`, texts.unknown_member(), verbatim(known.join(', ')));
  }

  #name(name: unknown): string {
    if (typeof name === 'string' && NAME.test(name)) return name;
    this.#add('/name', name === undefined ? texts.missing() : texts.name_wrong(), texts.name_form());
    return '';
  }

  #types(given: unknown): readonly string[] {
    if (given === undefined || (Array.isArray(given) && given.length === 0)) {
      this.#add('/types', texts.no_types(), texts.pattern_form());
      return [];
    }
    if (!Array.isArray(given) || given.length > SPEC_LIMITS.patterns) {
      const expected = Array.isArray(given) ? texts.at_most({ most: SPEC_LIMITS.patterns }) : texts.pattern_form();
      this.#add('/types', Array.isArray(given) ? texts.too_many_types() : texts.not_a_list(), expected);
      return [];
    }
    const known = this.#knownTypes();
    for (const [i, text] of given.entries()) {
      const pattern = typeof text === 'string' ? typePattern(text) : undefined;
      if (pattern === undefined) this.#add(`/types/${i}`, texts.pattern_wrong(), texts.pattern_form());
      else if (!known.some((type) => pattern.matches(type)))
        this.#add(`/types/${i}`, texts.type_unknown(), texts.types_of_catalogue());
    }
    return given.map(textOf);
  }

  /** Names of the types that the owner may know: the others are not there for it. */
  #knownTypes(): readonly string[] {
    const { catalogue, units } = this.#rules;
    const owner = callerOf(this.#rules);
    return catalogue
      .types()
      .filter((type) => mayKnowType(owner, type, units))
      .map(({ type }) => type);
  }

  #units(given: unknown): UnitSelector | undefined {
    if (!isObject(given)) {
      this.#add('/units', texts.not_an_object(), texts.units_form());
      return undefined;
    }
    this.#unknownMembers(given, SELECTOR, '/units');
    const { function: type, province, below } = given;
    if (type === undefined && province === undefined && below === undefined)
      this.#add('/units', texts.no_units_chosen(), texts.units_form());
    const { units } = this.#rules;
    if (type !== undefined && (typeof type !== 'string' || units.resolve(type).length === 0))
      this.#add('/units/function', texts.function_unknown(), texts.functions());
    if (province !== undefined && (typeof province !== 'string' || units.list({ province }).length === 0))
      this.#add('/units/province', texts.province_unknown(), texts.provinces());
    if (below !== undefined && (typeof below !== 'string' || !this.#isTop(below)))
      this.#add('/units/below', texts.unit_unknown(), texts.unit_ids());
    return {
      ...(type === undefined ? {} : { function: textOf(type) }),
      ...(province === undefined ? {} : { province: textOf(province) }),
      ...(below === undefined ? {} : { below: textOf(below) }),
    };
  }

  #isTop(below: string): boolean {
    const { owner, units } = this.#rules;
    if (!isOwn(below)) return units.get(below) !== undefined;
    const type = ownType(below);
    return units.get(owner) !== undefined && (type === undefined || units.resolve(type).length > 0);
  }

  #start(given: unknown, types: readonly string[], test: boolean): string {
    if (given === 'now' || given === 'earliest') return given;
    const position = typeof given === 'string' ? parsePosition(given) : undefined;
    if (position !== undefined) {
      const { stream, partition } = position;
      const partitions = test ? testPartitions(stream) : this.#partitionsOf(stream, types);
      if (partition >= partitions) this.#add('/start', texts.start_elsewhere(), texts.starts());
    } else if (typeof given !== 'string' || timeMsOf(given) === undefined)
      this.#add('/start', texts.start_wrong(), texts.starts());
    return textOf(given);
  }

  /** 0 for a stream that the subscription does not read, and for one that is not there for its owner. */
  #partitionsOf(name: string, types: readonly string[]): number {
    const stream = this.#rules.catalogue.streams().find((s) => s.name === name);
    const known = this.#knownTypes();
    const patterns = types.map(typePattern);
    const isRead = stream?.types.some((t) => known.includes(t) && patterns.some((p) => p?.matches(t) === true));
    return isRead === true ? stream!.partitions : 0;
  }

  #target(given: unknown): Target {
    const kind = isObject(given) ? given['kind'] : undefined;
    if (!isObject(given) || (kind !== 'webhook' && kind !== 'pull' && kind !== 'sse')) {
      const reason = given === undefined ? texts.missing() : texts.target_unknown();
      this.#add(isObject(given) ? '/target/kind' : '/target', reason, verbatim('webhook, pull, sse'));
      return { kind: 'pull' };
    }
    this.#unknownMembers(given, kind === 'webhook' ? WEBHOOK : ['kind'], '/target');
    if (kind !== 'webhook') return { kind };
    const url = this.#url(given['url']);
    const signature = given['signature'] === undefined ? undefined : this.#oneOf(given, 'signature', SIGNATURES);
    const { handshake = false } = given;
    if (typeof handshake !== 'boolean') this.#add('/target/handshake', texts.not_true_or_false());
    return {
      kind,
      url,
      mode: given['mode'] === undefined ? 'structured' : this.#oneOf(given, 'mode', MODES),
      data: given['data'] === undefined ? 'json' : this.#oneOf(given, 'data', DATA),
      ...(signature === undefined ? {} : { signature }),
      ...(handshake === true ? { handshake } : {}),
    };
  }

  #url(url: unknown): string {
    if (typeof url !== 'string' || url === '' || url.length > SPEC_LIMITS.urlLength) {
      const reason = url === undefined ? texts.missing() : texts.url_wrong();
      this.#add('/target/url', reason, texts.url_form({ most: SPEC_LIMITS.urlLength }));
      return '';
    }
    for (const { reason, expected } of this.#rules.urlProblems?.(url) ?? []) this.#add('/target/url', reason, expected);
    return url;
  }

  #oneOf<T extends string>(given: Readonly<Record<string, unknown>>, name: string, known: readonly [T, ...T[]]): T {
    const found = known.find((value) => value === given[name]);
    if (found === undefined) this.#add(`/target/${name}`, texts.value_unknown(), verbatim(known.join(', ')));
    return found ?? known[0];
  }
}

const testPartitions = (stream: string): number => (stream === TEST_EVENTS.name ? TEST_EVENTS.partitions : 0);
