import { readFileSync } from 'node:fs';
import { verbatim } from '#faults';
import { textOf } from './text-file.js';
import { Usage } from './usage.js';

/** The text of a file, or of standard input (`-`). Throws Usage. */
export function readInput(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? 0 : file);
  } catch (e) {
    throw new Usage(verbatim(`${file}: ${(e as NodeJS.ErrnoException).code ?? 'error'}`));
  }
  return textOf(bytes, file);
}
