import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTerminal } from '#settings';
import { verbatim } from '#faults';
import { texts } from './texts.js';
import { textOf } from './text-file.js';
import { Usage } from './usage.js';

/** An event in the editor of the user. */
export interface Edited {
  readonly event: Record<string, unknown>;
  /** The file is kept until this is called: what was typed is not lost when the hub refuses it. */
  done(): void;
  readonly file: string;
}

/** Opens $VISUAL, else $EDITOR, else vi, on the event, and reads what it leaves. Throws Usage when the file is emptied (nothing is sent) or is no JSON object. */
export async function edit(event: object): Promise<Edited> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-'));
  const file = join(dir, 'event.json');
  const done = (): void => rmSync(dir, { recursive: true, force: true });
  writeFileSync(file, `${JSON.stringify(event, null, 2)}\n`, { mode: 0o600 });
  const editor = readTerminal().editor;
  const failure = await open(editor, file);
  if (failure !== undefined) {
    done();
    throw new Usage(texts.editor_failed({ editor, why: failure }));
  }
  const text = textOf(readFileSync(file), file);
  if (text.trim() === '') {
    done();
    throw new Usage(texts.edit_emptied());
  }
  try {
    const edited = JSON.parse(text) as unknown;
    if (typeof edited === 'object' && edited !== null && !Array.isArray(edited))
      return { event: edited as Record<string, unknown>, done, file };
  } catch (e) {
    throw new Usage(verbatim(`${file}: ${(e as Error).message}`));
  }
  throw new Usage(verbatim(`${file}: {…}`));
}

/** undefined: it ended well. An editor may have words of its own (`code --wait`), so a shell reads it, as git does. */
function open(editor: string, file: string): Promise<string | undefined> {
  const child =
    process.platform === 'win32'
      ? spawn(`${editor} "${file}"`, { stdio: 'inherit', shell: true })
      : spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
  return new Promise((resolve) => {
    child.once('error', (e) => resolve(e.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? String(code))));
  });
}
