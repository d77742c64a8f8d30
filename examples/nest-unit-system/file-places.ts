import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { legacy } from '#nest-kit';

/** Cursors in one JSON file, which is replaced in one step. A system with a database should store the cursor in the same transaction as its work. */
export function filePlaces(file: string): legacy.Places {
  const read = (): Record<string, string> => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    } catch {
      return {};
    }
  };
  return {
    load: (stream) => read()[stream],
    save(stream, cursor) {
      writeFileSync(`${file}.new`, JSON.stringify({ ...read(), [stream]: cursor }));
      renameSync(`${file}.new`, file);
    },
  };
}
