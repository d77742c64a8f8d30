import { createHash } from 'node:crypto';
import { sdkNames } from './sdk-names.js';

/** Which version of which event type. `older`: a newer version of the type is generated beside it. */
export interface Version {
  readonly type: string;
  readonly version: number;
  readonly older: boolean;
}

function pascal(part: string): string {
  return part
    .split(/[-_.]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
}

/** `DateText`, `PasporDiterbitkan` + `Data`: the names that a file of this token gives to the index. */
const exported = (name: string): readonly string[] => [name, `${name}Data`];

/** From the shortest to the one that no other type has. */
function candidates({ type, version, older }: Version): readonly string[] {
  const suffix = older ? `V${version}` : '';
  const parts = type.split('.');
  const hash = createHash('sha256').update(`${type}@${version}`).digest('hex').slice(0, 8);
  const full = pascal(type);
  return [pascal(parts.slice(1).join('.')), full, `${full}_${hash}`].map((name) => name + suffix);
}

/**
 * The name of the token of each version, in the order of the input: the last two segments of the type (`imigrasi.paspor.diterbitkan` → `PasporDiterbitkan`),
 * all three when another type of the input would have the same name, or when it would be no identifier or a name of the SDK. The order of the input does not
 * matter.
 */
export function tokenNames(versions: readonly Version[]): readonly string[] {
  const lists = versions.map(candidates);
  const chosen = versions.map(() => 0);
  const nameOf = (i: number): string => lists[i]![chosen[i]!]!;
  for (;;) {
    const holders = new Map<string, number>();
    const data = new Set<string>();
    for (const i of versions.keys()) {
      holders.set(nameOf(i), (holders.get(nameOf(i)) ?? 0) + 1);
      data.add(`${nameOf(i)}Data`);
    }
    const isFree = (i: number): boolean => {
      const name = nameOf(i);
      const isOwn = holders.get(name) === 1 && !data.has(name);
      return isOwn && /^[A-Za-z_]/.test(name) && !exported(name).some((own) => sdkNames.has(own));
    };
    const refused = [...versions.keys()].filter((i) => !isFree(i) && chosen[i]! < lists[i]!.length - 1);
    if (refused.length === 0) return versions.map((_, i) => nameOf(i));
    for (const i of refused) chosen[i]!++;
  }
}

/** Gives the types of one file their names: the token's name, then that of the Avro type. */
export class TypeNames {
  readonly #token: string;
  readonly #taken: Set<string>;

  constructor(token: string) {
    this.#token = token;
    this.#taken = new Set([...exported(token), ...sdkNames]);
  }

  /** `DiterbitkanJenisPaspor` of the record `Diterbitkan` → `PasporDiterbitkanJenisPaspor`. `record`: the Avro name of the event type, without namespace. */
  nameOf(avroName: string, record: string): string {
    const short = avroName.slice(avroName.lastIndexOf('.') + 1);
    const own = short.startsWith(record) && short.length > record.length ? short.slice(record.length) : short;
    const base = this.#token + pascal(own);
    let name = base;
    for (let n = 2; this.#taken.has(name); n++) name = `${base}${n}`;
    this.#taken.add(name);
    return name;
  }
}
