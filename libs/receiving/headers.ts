/** Headers of any framework: of Node.js, of `fetch`, or a list of pairs. */
export type GivenHeaders =
  Readonly<Record<string, string | readonly string[] | undefined>> | Iterable<readonly [string, string]>;

/** By lower-case name. A name that came twice has a list, also when it came in two spellings: what was signed came once. */
export type HeaderValues = Readonly<Record<string, string | readonly string[] | undefined>>;

export function headersOf(given: GivenHeaders): HeaderValues {
  // Without a prototype: a header may be named `__proto__`.
  const out = Object.create(null) as Record<string, string | readonly string[] | undefined>;
  const pairs = Symbol.iterator in given ? (given as Iterable<readonly [string, string]>) : Object.entries(given);
  for (const [name, value] of pairs) {
    if (value === undefined) continue;
    const lower = name.toLowerCase();
    const former = out[lower];
    out[lower] = former === undefined ? value : [former, value].flat();
  }
  return out;
}

/** The value of a header that came once. */
export function headerOf(headers: HeaderValues, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** `application/json` of `Application/JSON; charset=utf-8`. */
export function mediaTypeOf(headers: HeaderValues): string {
  return (headerOf(headers, 'content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
}
