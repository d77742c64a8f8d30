import type { Command } from 'commander';
import { readTerminal } from '#settings';
import { verbatim } from '#faults';
import { connect, shapes } from '#sdk';
import { Contexts, LOCAL, shownKey, type NamedHub } from '../contexts.js';
import { printRows } from '../output.js';
import { readInput } from '../input.js';
import { EXIT } from '../refusal.js';
import type { Local, Run } from '../program.js';
import { texts } from '../texts.js';
import { Usage } from '../usage.js';

const CHECK_MS = 3_000;

/** Whose the key is, as the hub says it. `refused`: it takes the key for none. `silent`: nothing is known. */
async function ownerOf(url: string, key: string): Promise<{ readonly owner: string } | 'refused' | 'silent'> {
  const hub = connect({ url, timeoutMs: CHECK_MS });
  try {
    const { status, body } = await hub.call('/v1/me', { key, shape: shapes.isMe });
    if (status === 401) return 'refused';
    const { unit, system } = body as { unit?: string; system?: string };
    return status === 200 ? { owner: `${unit} ${system}` } : 'silent';
  } catch {
    return 'silent';
  } finally {
    await hub.close();
  }
}

function addressOf(text: string | undefined): string {
  if (text === undefined) throw new Usage(verbatim('simpul ctx add <name> --url <address>'));
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new Usage(verbatim(`--url ${text}: http://…, https://…`));
  return text.replace(/\/+$/, '');
}

interface AddOptions {
  readonly keyFile?: string;
}

async function add(to: Local, name: string, { keyFile }: AddOptions): Promise<number> {
  const { url, key: given } = to.globals;
  const contexts = Contexts.read(readTerminal().configDir);
  const address = addressOf(url);
  const key = given === '-' ? readInput('-').trim() : given;
  const used = key ?? (keyFile === undefined ? undefined : contexts.keyOf({ url: address, keyFile }));
  if (used !== undefined) {
    const found = await ownerOf(address, used);
    if (found === 'refused') {
      process.stderr.write(`✗ ${to.say(texts.key_not_of_hub({ url: address }))}\n`);
      return EXIT.login;
    }
    if (found === 'silent') process.stderr.write(`! ${to.say(texts.hub_silent({ url: address }))}\n`);
    else process.stderr.write(`· ${found.owner}\n`);
  }
  contexts.add(name, address, { key, keyFile });
  process.stdout.write(`✔ ${to.say(texts.context_added({ name, url: address }))}\n`);
  return EXIT.ok;
}

/** Lines for a shell. The key itself is not in them: it is read from its file when the line runs. */
function exportLines(name: string, { url, keyFile }: NamedHub): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const key = keyFile === undefined ? 'unset SIMPUL_KEY' : `export SIMPUL_KEY="$(cat ${quoted(keyFile)})"`;
  return `export SIMPUL_CTX=${quoted(name)}\nexport SIMPUL_URL=${quoted(url)}\n${key}\n`;
}

export function contextCommands(program: Command, run: Run): void {
  const ctx = program
    .command('ctx')
    .description('named hubs: add, use, list, remove')
    .addHelpText(
      'after',
      '\nExample:\n  simpul ctx add pusat --url https://hub.example.go.id --key-file ./pusat.key && simpul ctx use pusat',
    );
  ctx
    .command('add <name>')
    .description(
      'a name for --url, with the key of --key (stored, 0600; - reads it from standard input) or --key-file (named)',
    )
    .option('--key-file <file>', 'file that holds the key')
    .addHelpText('after', '\nExample:\n  simpul ctx add pusat --url https://hub.example.go.id --key - < pusat.key')
    .action((name: string, o: AddOptions) => run.local((to) => add(to, name, o)));
  ctx
    .command('use <name>')
    .description('work with this hub from now on; - the one before; local: the hub of this machine')
    .addHelpText('after', '\nExample:\n  simpul ctx use pusat')
    .action((name: string) =>
      run.local((to) => {
        const used = Contexts.read(readTerminal().configDir).use(name);
        process.stdout.write(`✔ ${to.say(texts.context_used({ name: used }))}\n`);
        return EXIT.ok;
      }),
    );
  ctx
    .command('ls')
    .description('the names, their addresses, and the end of their keys')
    .addHelpText('after', '\nExample:\n  simpul ctx ls')
    .action(() =>
      run.local((to) => {
        const contexts = Contexts.read(readTerminal().configDir);
        const rows = contexts.names.map((name) => {
          const hub = contexts.get(name);
          let key: string | undefined;
          try {
            key = contexts.keyOf(hub);
          } catch {
            // The file is gone: the row says where it was.
          }
          return {
            current: name === contexts.current ? '*' : '',
            name,
            url: hub.url,
            key: key === undefined ? undefined : shownKey(key),
            keyFile: hub.keyFile,
          };
        });
        printRows(to, rows, ['current', 'name', 'url', 'key', 'keyFile']);
        return rows.length > 0 ? EXIT.ok : EXIT.nothing;
      }),
    );
  ctx
    .command('env [name]')
    .description('lines for a shell: address and key for other programs')
    .addHelpText('after', '\nExample:\n  eval "$(simpul ctx env pusat)"')
    .action((name: string | undefined) =>
      run.local((to) => {
        const contexts = Contexts.read(readTerminal().configDir);
        const chosen = name ?? contexts.current ?? LOCAL;
        if (chosen === LOCAL) {
          process.stderr.write(`· ${to.say(texts.no_context())}\n`);
          return EXIT.nothing;
        }
        process.stdout.write(exportLines(chosen, contexts.get(chosen)));
        return EXIT.ok;
      }),
    );
  ctx
    .command('rm <name>')
    .description('forget a name, and the key that was stored for it')
    .addHelpText('after', '\nExample:\n  simpul ctx rm pusat')
    .action((name: string) =>
      run.local((to) => {
        Contexts.read(readTerminal().configDir).remove(name);
        process.stdout.write(`✔ ${to.say(texts.context_removed({ name }))}\n`);
        return EXIT.ok;
      }),
    );
}
