import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Places } from '#nest-kit';

/** Cursors in one JSON file, replaced whole. A system with a database keeps them in the transaction of its own work instead. */
export function filePlaces(file: string): Places {
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
