import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The blocks of code of a page, as a reader copies them. */
export interface Readme {
  /** Shell blocks, in their order. */
  readonly commands: readonly string[];
  /** Blocks of text that a command is said to print, in their order. */
  readonly outputs: readonly string[];
  /** Writes the blocks whose first line is a comment with a file name. The comment is left out, because JSON has none. */
  writeFiles(folder: string): void;
}

export function openReadme(file: string): Readme {
  const blocks = [...readFileSync(file, 'utf8').matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  const of = (wanted: string) => blocks.filter(([, language]) => language === wanted).map(([, , text]) => text!);
  return {
    commands: of('sh'),
    outputs: of('text'),
    writeFiles(folder) {
      for (const [, , text = ''] of blocks) {
        const name = /^\/\/ (\S+\.\w+)\n/.exec(text);
        if (name === null) continue;
        const path = join(folder, name[1]!);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text.slice(name[0].length));
      }
    },
  };
}
