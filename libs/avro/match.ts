import type { Node } from './schema.js';

function last(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** Whether a reader's named type stands for a writer's: same unqualified name, or the writer's name among the reader's aliases. */
export function sameName(writer: Node, reader: Node): boolean {
  if (last(writer.name) === last(reader.name)) return true;
  return reader.aliases.some((a) => a === writer.name || (!a.includes('.') && a === last(writer.name)));
}

/** Reader's base → the writer's bases that it reads (Avro 1.12, promotions included). */
const READS: { readonly [base in Node['base']]?: readonly Node['base'][] } = {
  null: ['null'],
  boolean: ['boolean'],
  int: ['int'],
  long: ['int', 'long'],
  float: ['int', 'long', 'float'],
  double: ['int', 'long', 'float', 'double'],
  string: ['string', 'bytes'],
  bytes: ['bytes', 'string'],
  fixed: ['fixed'],
};

/** Whether a scalar type reads what another one wrote; the names of fixed types are looked at elsewhere. */
export function readsScalar(writer: Node, reader: Node): boolean {
  if (writer.logical === 'decimal' || reader.logical === 'decimal')
    return writer.logical === reader.logical && writer.precision <= reader.precision && writer.scale === reader.scale;
  return (READS[reader.base]?.includes(writer.base) ?? false) && writer.size === reader.size;
}
