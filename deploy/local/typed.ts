import { relative } from 'node:path';

/** A path as a person types it into a shell, from here. */
export function typed(path: string): string {
  const near = relative(process.cwd(), path) || path;
  return /^[\w./-]+$/.test(near) ? near : `'${near.replaceAll("'", `'\\''`)}'`;
}
