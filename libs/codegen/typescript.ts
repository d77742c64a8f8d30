import { nodeOf, UNKNOWN_SYMBOL, type EventContract, type SchemaField, type SchemaNode } from '#avro';
import { TypeNames } from './names.js';
import { comment, literal } from './text.js';

/** How longs are typed. `text`: as the hub shows them, a number, or beyond 2^53 text. `bigint`: as bigint, which the codec of the SDK makes and takes. */
export type Longs = 'text' | 'bigint';

interface Place {
  /** The field around the type. */
  readonly field: SchemaField;
  /** Inside a union of several types beside null: plain JSON does not say which of them a value is. */
  readonly mixed: boolean;
}

/** Writes the types of one event type: one declaration for the data, and one for each record and enum in it. */
export class TypeWriter {
  /** Names that the declarations use of the SDK. */
  readonly imports = new Set<string>();
  readonly #declarations: string[] = [];
  readonly #names: TypeNames;
  readonly #named = new Map<string, string>();
  readonly #record: string;

  constructor(
    private readonly contract: EventContract,
    private readonly token: string,
    private readonly longs: Longs,
  ) {
    this.#names = new TypeNames(token);
    this.#record = contract.name.slice(contract.name.lastIndexOf('.') + 1);
  }

  /** The declarations, the data first. */
  declarations(): readonly string[] {
    const node = nodeOf(this.contract);
    const { titleId, titleEn, type, version } = this.contract.properties;
    const about = comment([`${titleId} · ${titleEn}`, `\`${type}\` v${version}`]);
    const data = `${about}export type ${this.token}Data = ${this.#fieldsOf(node, false)};\n`;
    return [data, ...this.#declarations];
  }

  #fieldsOf(node: SchemaNode, mixed: boolean): string {
    // No other object type has no members: `{}` takes every value.
    if (node.fields.length === 0) return '{ readonly [name: string]: never }';
    return `{\n${node.fields.map((field) => this.#fieldOf(field, mixed)).join('')}}`;
  }

  #fieldOf(field: SchemaField, mixed: boolean): string {
    const about = comment(aboutField(field), '  ');
    // Every object inherits a `toString`: without the field the compiler would find a function there.
    const may = isOptional(field) && !(field.name in Object.prototype) ? '?' : '';
    return `${about}  readonly ${field.name}${may}: ${this.#typeOf(field.type, { field, mixed })};\n`;
  }

  #typeOf(t: SchemaNode, place: Place): string {
    switch (t.logical) {
      case 'date':
        return this.#sdk('DateText');
      case 'timestamp-millis':
        return this.#sdk('TimeText');
      case 'decimal':
        return this.#sdk('DecimalText');
      case 'uuid':
        return this.#sdk('UuidText');
      case undefined:
    }
    switch (t.base) {
      case 'null':
      case 'boolean':
      case 'string':
        return t.base;
      case 'int':
      case 'float':
      case 'double':
        return 'number';
      case 'long':
        return this.#longAt(place);
      case 'bytes':
      case 'fixed':
        return this.#sdk('Base64Text');
      case 'array': {
        const items = this.#typeOf(t.items!, place);
        const several = t.items!.base === 'array' || (t.items!.base === 'union' && items.includes(' '));
        return `readonly ${several ? `(${items})` : items}[]`;
      }
      case 'map':
        return `{ readonly [name: string]: ${this.#typeOf(t.items!, place)} }`;
      case 'union': {
        const mixed = t.branches.filter((b) => b.base !== 'null').length > 1;
        const types = t.branches.map((b) => this.#typeOf(b, { ...place, mixed: place.mixed || mixed }));
        // null is read last.
        const ordered = [...types.filter((x) => x !== 'null'), ...types.filter((x) => x === 'null')];
        return [...new Set(ordered)].join(' | ');
      }
      default:
        return this.#nameOf(t, place.mixed);
    }
  }

  #longAt({ field, mixed }: Place): string {
    if (this.longs === 'bigint' && !mixed) return 'bigint';
    const { min, max } = field.extra;
    const isExact = [min, max].every((bound) => typeof bound === 'number' && Number.isSafeInteger(bound));
    return isExact && !mixed ? 'number' : this.#sdk('Long');
  }

  #nameOf(t: SchemaNode, mixed: boolean): string {
    // Its longs are another type inside a mixed union.
    const key = this.longs === 'bigint' && mixed && t.base === 'record' ? `${t.name} mixed` : t.name;
    const known = this.#named.get(key);
    if (known !== undefined) return known;
    const name = this.#names.nameOf(t.name, this.#record);
    this.#named.set(key, name);
    const at = this.#declarations.length;
    const body = t.base === 'enum' ? this.#symbolsOf(t) : ` ${this.#fieldsOf(t, mixed)}`;
    const about = comment([textOf(t.extra['doc']) ?? '']);
    // In front of the types that it holds, as the schema has them.
    this.#declarations.splice(at, 0, `${about}export type ${name} =${body};\n`);
    return name;
  }

  #symbolsOf(t: SchemaNode): string {
    const labels = t.extra['labels'];
    const label = (symbol: string): string => {
      const own = typeof labels === 'object' && labels !== null && !Array.isArray(labels) ? labels[symbol] : undefined;
      if (typeof own !== 'object' || own === null || Array.isArray(own)) return '';
      return [textOf(own['id']), textOf(own['en'])].filter((text) => text !== undefined).join(' · ');
    };
    const known = t.symbols.filter((s) => s !== UNKNOWN_SYMBOL);
    const lines = known.map((s) => `${comment([label(s)], '  ')}  | ${literal(s)}`);
    if (known.length < t.symbols.length) lines.push(`  | ${this.#sdk('UnknownSymbol')}`);
    return `\n${lines.join('\n')}`;
  }

  #sdk(name: string): string {
    this.imports.add(name);
    return name;
  }
}

const isNull = (t: SchemaNode): boolean => t.base === 'null' || t.branches.some((b) => b.base === 'null');

/** The hub takes the event without the field. */
function isOptional({ type, fallback }: SchemaField): boolean {
  return fallback !== undefined || isNull(type);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The words of the contract about a field, then what limits its values. */
function aboutField({ type, extra, fallback }: SchemaField): string[] {
  const { doc, note, pii, role, min, max } = extra;
  const limits = [
    typeof role === 'string' ? `role ${role}` : '',
    ...decimalsOf(type),
    ...boundsOf(min, max),
    pii === 'none' || typeof pii !== 'string' ? '' : `pii ${pii}`,
    fallback === undefined || fallback.json === null ? '' : `bawaan · default ${JSON.stringify(fallback.json)}`,
  ];
  return [textOf(doc) ?? '', textOf(note) ?? '', limits.filter((text) => text !== '').join('; ')];
}

function boundsOf(min: unknown, max: unknown): string[] {
  const isBound = (v: unknown): v is string | number => typeof v === 'string' || typeof v === 'number';
  if (!isBound(min) && !isBound(max)) return [];
  return [`${isBound(min) ? min : ''} … ${isBound(max) ? max : ''}`.trim()];
}

function decimalsOf(t: SchemaNode): string[] {
  if (t.logical === 'decimal') return [`decimal(${t.precision}, ${t.scale})`];
  return [...(t.items === undefined ? [] : [t.items]), ...t.branches].flatMap(decimalsOf);
}
