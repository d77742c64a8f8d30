import type { Argument, Command, Option } from 'commander';
import { shapes, type Shape } from '#sdk';
import { readTerminal } from '#settings';
import { openContext, type Context, type Globals } from './context.js';
import { Contexts, LOCAL } from './contexts.js';

/** Names from the hub may take so long: a person has pressed a key. */
const LIVE_MS = 800;

/**
 * What may stand at the place of the last word, which may be begun: commands, options, and names of the hub (types, streams, views, units, keys) and of named
 * hubs. Never rejects: without a hub, without a key or after 0.8 s there are fewer words. Files are left to the shell.
 */
export async function candidates(program: Command, words: readonly string[]): Promise<readonly string[]> {
  const begun = words.at(-1) ?? '';
  const { command, operands, option, given } = placeOf(program, words.slice(0, -1));
  const offered =
    option === undefined
      ? await wordsOf(program, command, operands, begun, given)
      : await valuesOf(option, given, begun);
  return [...new Set(offered)].filter((word) => word.startsWith(begun)).sort();
}

interface Place {
  readonly command: Command;
  /** Words before that are no commands and no options. */
  readonly operands: readonly string[];
  /** The option whose value is asked for. */
  readonly option: Option | undefined;
  /** The options of the whole line: they say which hub is asked. */
  readonly given: Globals;
}

const optionsOf = (command: Command): readonly Option[] =>
  command.parent === null ? command.options : [...command.options, ...optionsOf(command.parent)];

function placeOf(program: Command, words: readonly string[]): Place {
  let command = program;
  let operands: string[] = [];
  let option: Option | undefined;
  const given: Record<string, string> = {};
  for (const word of words) {
    if (option !== undefined) {
      given[option.attributeName()] = word;
      option = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const [flag, value] = word.split('=', 2);
      const known = optionsOf(command).find((o) => o.long === flag || o.short === flag);
      if (known === undefined || !(known.required || known.optional)) continue;
      if (value === undefined) option = known;
      else given[known.attributeName()] = value;
      continue;
    }
    const next =
      operands.length === 0 ? command.commands.find((c) => c.name() === word || c.aliases().includes(word)) : undefined;
    if (next === undefined) operands.push(word);
    else {
      command = next;
      operands = [];
    }
  }
  return { command, operands, option, given };
}

async function wordsOf(
  program: Command,
  command: Command,
  operands: readonly string[],
  begun: string,
  given: Globals,
): Promise<readonly string[]> {
  if (begun.startsWith('-')) return [...optionsOf(command).map((o) => o.long ?? ''), '--help'].filter((o) => o !== '');
  const names =
    operands.length === 0 ? command.commands.map((c) => c.name()).filter((name) => !name.startsWith('_')) : [];
  if (command === program) return [...names, 'help'];
  const argument: Argument | undefined =
    command.registeredArguments[operands.length] ?? command.registeredArguments.findLast((a) => a.variadic);
  return argument === undefined
    ? names
    : [...names, ...(await namesOf(kindOf(argument.name(), command), given, begun))];
}

async function valuesOf(option: Option, given: Globals, begun: string): Promise<readonly string[]> {
  switch (option.attributeName()) {
    case 'lang':
      return ['id', 'en'];
    case 'output':
      return ['table', 'json', 'jsonl'];
    case 'from':
      return ['earliest', 'latest'];
    case 'mode':
      return ['structured', 'binary', 'batch'];
    case 'form':
      return ['json', 'avro'];
    case 'start':
      return ['now', 'earliest'];
    case 'ctx':
      return namesOf('context', given, begun);
    case 'type':
    case 'types':
      return namesOf('type', given, begun);
    case 'unit':
    case 'below':
    case 'owner':
      return namesOf('unit', given, begun);
    case 'set':
      return [];
    default:
      return [];
  }
}

type Kind = 'type' | 'stream' | 'view' | 'unit' | 'key' | 'subscription' | 'context' | 'none';

/** What stands at an argument, by its name in the help. */
function kindOf(argument: string, command: Command): Kind {
  const group = command.parent?.name();
  if (group === 'ctx') return 'context';
  if (argument === 'sub') return 'subscription';
  if (argument === 'type' || argument === 'types') return 'type';
  if (argument === 'stream' || argument === 'view' || argument === 'unit') return argument;
  if (argument === 'id') return group === 'unit' ? 'unit' : group === 'key' ? 'key' : 'none';
  return 'none';
}

async function namesOf(kind: Kind, given: Globals, begun: string): Promise<readonly string[]> {
  if (kind === 'none') return [];
  if (kind === 'context') {
    try {
      return [LOCAL, ...Contexts.read(readTerminal().configDir).names];
    } catch {
      return [LOCAL];
    }
  }
  let ctx: Context | undefined;
  try {
    ctx = await openContext(given);
    return await live(ctx, kind, begun);
  } catch {
    return [];
  } finally {
    await ctx?.hub.close();
  }
}

async function live(ctx: Context, kind: Exclude<Kind, 'none' | 'context'>, begun: string): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(LIVE_MS);
  const list = async (
    path: string,
    field: string,
    name: string,
    shape: Shape = shapes.texts(name),
  ): Promise<readonly string[]> => {
    const { status, body } = await ctx.hub.call(path, { key: ctx.key, signal, shape: shapes.listOf(field, shape) });
    return status === 200 ? (body as Record<string, Record<string, string>[]>)[field]!.map((row) => row[name]!) : [];
  };
  switch (kind) {
    case 'type':
      return list('/v1/event-types?limit=500', 'types', 'type');
    case 'stream':
      return [...(await list('/v1/streams', 'streams', 'name')), '_simpul.test'];
    case 'view':
      return list('/v1/views', 'views', 'view');
    case 'subscription':
      return list('/v1/subscriptions?limit=500', 'subscriptions', 'name');
    case 'key':
      return list('/v1/keys?limit=500', 'keys', 'id');
    case 'unit': {
      const some = await list(
        `/v1/units?limit=500${begun === '' ? '' : `&text=${encodeURIComponent(begun)}`}`,
        'units',
        'id',
      ).catch(() => []);
      // `text` looks at names and codes; an id that is begun is in the whole list.
      return some.length > 0 ? some : list('/v1/units?limit=500', 'units', 'id');
    }
  }
}
