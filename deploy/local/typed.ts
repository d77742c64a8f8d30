import { relative } from 'node:path';

/** A path in the form in which a person types it into a shell: relative to the current folder, quoted when needed. */
export function typed(path: string): string {
  const near = relative(process.cwd(), path) || path;
  return /^[\w./-]+$/.test(near) ? near : `'${near.replaceAll("'", `'\\''`)}'`;
}
