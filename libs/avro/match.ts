import type { Node } from './schema.js';

function last(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** Whether a reader's named type matches a writer's: the same unqualified name, or the writer's name is an alias of the reader's type. */
export function sameName(writer: Node, reader: Node): boolean {
  if (last(writer.name) === last(reader.name)) return true;
  return reader.aliases.some((a) => a === writer.name || (!a.includes('.') && a === last(writer.name)));
}

/** For each base type of a reader the base types of a writer that it reads (Avro 1.12, including promotions). */
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

/** Whether a scalar type reads what another one wrote. Names of fixed types are compared by the caller. */
export function readsScalar(writer: Node, reader: Node): boolean {
  if (writer.logical === 'decimal' || reader.logical === 'decimal')
    return writer.logical === reader.logical && writer.precision <= reader.precision && writer.scale === reader.scale;
  return (READS[reader.base]?.includes(writer.base) ?? false) && writer.size === reader.size;
}
