/** Event type name of three segments, `imigrasi.paspor.diterbitkan`; the first two segments name the stream. */
const TYPE = /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*){2}$/;

export function isTypeName(text: string): boolean {
  return text.length <= 200 && TYPE.test(text);
}

/** The stream (topic) of an event type. The input must satisfy isTypeName. */
export function streamOf(type: string): string {
  return type.slice(0, type.lastIndexOf('.'));
}

export type Source =
  | { readonly kind: 'unit'; readonly unit: string; readonly system: string }
  | { readonly kind: 'party'; readonly party: string; readonly system: string }
  | { readonly kind: 'hub'; readonly role: string };

const UNIT = /^urn:simpul:unit:(SU\d{5,9}):([a-z0-9][a-z0-9._-]{0,62})$/;
const PARTY = /^urn:simpul:party:(EXT-[A-Z0-9-]{1,40}):([a-z0-9][a-z0-9._-]{0,62})$/;
const HUB = /^urn:simpul:hub:([a-z][a-z0-9-]{0,40})$/;

/** Parses the `source` attribute of an event; undefined when it has none of the three forms that the hub accepts. */
export function parseSource(text: string): Source | undefined {
  let m = UNIT.exec(text);
  if (m) return { kind: 'unit', unit: m[1]!, system: m[2]! };
  m = PARTY.exec(text);
  if (m) return { kind: 'party', party: m[1]!, system: m[2]! };
  m = HUB.exec(text);
  return m ? { kind: 'hub', role: m[1]! } : undefined;
}

/** The `source` of a system. `owner` is a unit id (`SU…`) or the code of an external party (`EXT-…`). */
export function sourceUrn(owner: string, system: string): string {
  return owner.startsWith('EXT-') ? `urn:simpul:party:${owner}:${system}` : `urn:simpul:unit:${owner}:${system}`;
}

const DATASCHEMA = /^urn:simpul:schema:([a-z0-9.-]+):([1-9]\d{0,8})$/;

export function dataschemaUrn(type: string, version: number): string {
  return `urn:simpul:schema:${type}:${version}`;
}

export function parseDataschema(text: string): { type: string; version: number } | undefined {
  const m = DATASCHEMA.exec(text);
  return m ? { type: m[1]!, version: Number(m[2]) } : undefined;
}
