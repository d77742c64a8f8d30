import type { Node } from './schema.js';

function last(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** Whether a reader's named type stands for a writer's: same unqualified name, or the writer's name among the reader's aliases. */
export function sameName(writer: Node, reader: Node): boolean {
  if (last(writer.name) === last(reader.name)) return true;
  return reader.aliases.some((a) => a === writer.name || (!a.includes('.') && a === last(writer.name)));
}
