// Reference pages, made from the built rooms and the files under schemas/.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bootstrap.mjs';
import { catalogue } from './gen-catalogue.mjs';

const built = (file) => import(pathToFileURL(join(root, 'dist', file)).href);
const json = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const cell = (text) => String(text ?? '').replaceAll('|', '\\|');
const list = (values) => values.map((v) => `\`${v}\``).join(' · ');

const KINDS = {
  latest: 'the newest report of each key',
  merge: 'fields of several event types, put together by key',
  set: 'what is in force: added by one type, removed by another',
  count: 'numbers added up by key; a corrected report replaces the earlier one',
  timeline: 'the positions of all events of a key',
};

const LEVELS = { full: 'in full by', masked: 'masked by', count: 'as totals by' };

/** People (`word:…`) have no keys: their rows grant no right. */
function readers(consumers) {
  const parts = Object.entries(LEVELS).flatMap(([level, text]) => {
    const codes = consumers.filter((c) => c.level === level && !c.code.startsWith('word:')).map((c) => c.code);
    return codes.length > 0 ? [`${text} ${list(codes)}`] : [];
  });
  return parts.join('; ') || 'by its own unit';
}

function valueOf(v) {
  if (typeof v === 'string') return v;
  if ('const' in v) return JSON.stringify(v.const);
  return v.attribute;
}

function keyOf(key) {
  if (key === 'subject') return 'the subject of the stream';
  const only = Object.values(key);
  if (only.length === 1 && typeof only[0] === 'object' && 'const' in only[0]) return `one entry, \`${only[0].const}\``;
  return list(Object.entries(key).map(([name, v]) => (name === valueOf(v) ? name : `${name} (${valueOf(v)})`)));
}

function conditionsOf(source) {
  const words = [];
  for (const w of source.when ?? []) words.push(`${w.field} is ${w.in.map((x) => JSON.stringify(x)).join(' or ')}`);
  for (const g of source.given ?? [])
    words.push(
      'is' in g ? `the entry's ${g.value} is the event's ${g.is}` : `the entry's ${g.value} is not "${g.isNot}"`,
    );
  return words.length === 0 ? '' : `, when ${words.join(' and ')}`;
}

/** Who may change an entry (R5.10), in words. */
function ownerOf(owner) {
  if (owner === 'first') return 'the office whose event made it';
  if (owner === 'any-with-right') return 'nobody: whoever may publish the event';
  const fields = [owner].flat().map((f) => `\`${f.slice('field:'.length)}\``);
  return `the office in ${fields.join(', else in ')}`;
}

export function viewsPage() {
  const folder = join(root, 'schemas/views');
  const views = readdirSync(folder)
    .filter((f) => f.endsWith('.view.json'))
    .sort()
    .map((f) => json(`schemas/views/${f}`));
  const rows = views.map(
    (v) =>
      `| [\`${v.name}\`](#${v.name.replaceAll('.', '')}) | ${v.titleEn} · ${v.titleId} | ${v.kind} | ${cell(keyOf(v.key))} |`,
  );
  const parts = views.map((v) => {
    const sources = v.sources.map((s) => {
      const does = s.remove ? 'removes the entry' : v.kind === 'count' ? 'counts' : `sets ${list(Object.keys(s.set))}`;
      const by = s.owner === undefined ? '' : `; applied by ${ownerOf(s.owner)}`;
      const absent = s.absentWhy === undefined ? '' : `; nothing to remove is normal. ${s.absentWhy}`;
      return `- [\`${s.type}\`](event-types.md#${s.type.replaceAll('.', '')}) ${does}${conditionsOf(s)}${by}${absent}`;
    });
    const sums = v.kind === 'count' ? `\nFields: ${list([v.count ?? 'count', ...Object.keys(v.sum ?? {})])}.\n` : '';
    const by = v.by ? ` The greatest ${list(v.by)} wins.` : '';
    return `## ${v.name}\n\n${v.titleEn} · *${v.titleId}*. Kind \`${v.kind}\`, key: ${keyOf(v.key)}.${by}\n\nOwner of an entry: ${ownerOf(v.owner)}. ${v.ownerWhy}\n${sums}\n${sources.join('\n')}\n\n\`./bin/simpul.mjs state ls ${v.name}\``;
  });
  const kinds = Object.entries(KINDS).map(([k, t]) => `- \`${k}\`: ${t}`);
  return `# Views\n\nGenerated from \`schemas/views/*.view.json\` by \`npm run gen\`. A view folds events to state; read it at \`GET /v1/state/{view}/{key}\`.\n\n${kinds.join('\n')}\n\n| view | what | kind | key |\n|---|---|---|---|\n${rows.join('\n')}\n\n${parts.join('\n\n')}\n`;
}

/** Which office states an event (R10.6), in one sentence, and why. */
function actorOf({ field, step, party, standIns = {}, below, exempt, why }) {
  if (field === null) return `No acting office: ${why}`;
  const named = (f) =>
    [f]
      .flat()
      .map((n) => `\`${n}\``)
      .join(' or ');
  const rule =
    step === undefined
      ? named(field)
      : Object.entries(field)
          .map(([s, f]) => `${named(f)} (\`${step}\` \`${s}\`)`)
          .join(', ');
  const more = [
    ...(party === undefined ? [] : [`a party \`${party}\``]),
    ...Object.entries(standIns).map(([p, unit]) => `for \`${p}\` \`${unit}\``),
    ...(below ? ['or a unit below it'] : []),
    ...(exempt === undefined ? [] : [`not for ${list(exempt)}`]),
  ];
  return `Acting office: ${[rule, ...more].join('; ')}. ${why}`;
}

export function eventTypesPage() {
  const { types } = catalogue(root);
  const streams = Map.groupBy(types, (t) => t.stream);
  const parts = [...streams].map(([stream, ofStream]) => {
    const bodies = ofStream.map((t) => {
      const fields = t.fields.map(
        (f) => `| \`${f.name}\` | ${cell(f.kind)} | ${f.optional ? '' : 'yes'} | ${f.pii === 'none' ? '' : f.pii} |`,
      );
      return `### ${t.type}\n\n${t.titleEn} · *${t.titleId}*. Version ${t.version}, [schema](../../schemas/${t.file}). Owner \`${t.owner}\`, published by ${list(t.publishers)}, read ${readers(t.consumers)}. ${actorOf(t.actor)}\n\n| field | kind | required | data class |\n|---|---|---|---|\n${fields.join('\n')}`;
    });
    const first = ofStream[0];
    const subject = `${list(first.subject)}${first.subjectForm === 'pseudonym' ? ' (keyed hash)' : ''}`;
    const order = first.ordering === 'stream' ? 'the whole stream is in order' : 'events of one subject are in order';
    return `## ${stream}\n\nSubject: ${subject}; ${order}.\n\n${bodies.join('\n\n')}`;
  });
  return `# Event types\n\nGenerated from \`schemas/catalogue.json\` by \`npm run gen\`. ${types.length} types in ${streams.size} streams. A valid sample with invented data: \`./bin/simpul.mjs type sample <type>\`. Publishers: \`type:kanim\` every unit of that type, \`unit:SU…\` one unit, \`field:x\` whoever names itself in field x, \`party:EXT-…\` an external party, \`hub:clock\` the hub itself, \`any\` every unit.\n\n${parts.join('\n\n')}\n`;
}

/** A stand-in for every dependency: each property and each call returns itself. Doors declare their routes without using their dependencies. */
const nothing = new Proxy(() => undefined, {
  get: (_t, name) => (name === Symbol.toPrimitive ? () => 0 : name === 'then' ? undefined : nothing),
});

async function openapi() {
  const http = await built('libs/http/index.js');
  const doors = [http.publishDoor, http.readDoor, http.stateDoor, http.subscriptionPullDoor].map((door) =>
    door(nothing),
  );
  const controllers = Object.keys(http).filter((name) => name.endsWith('Controller'));
  const tokens = Object.keys(http).filter((name) => name.endsWith('_DOOR'));
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const app = {
    module: class {},
    controllers: controllers.map((name) => http[name]),
    providers: [
      { provide: http.EDGE, useValue: { authenticate: () => undefined, doors, log } },
      ...tokens.map((name) => ({ provide: http[name], useValue: nothing })),
    ],
  };
  const server = await http.openHttp(app, { port: 0 });
  try {
    return await (await fetch(`${server.url}/openapi.json`)).json();
  } finally {
    await server.close();
  }
}

const GROUPS = [
  ['Publish', /^\/v1\/(events$|receipts|refusals)/],
  ['Read', /^\/v1\/(streams|events\/)/],
  ['State', /^\/v1\/(views|state)/],
  ['Subscriptions', /^\/v1\/(subscriptions|attempts|watch)/],
  ['Units and event types', /^\/v1\/(units|event-types)/],
  ['Access', /^\/v1\/(me|keys|audit|grants)/],
  ['Run', /./],
];

function parameterOf({ name, required, schema }) {
  const form = schema.enum ? schema.enum.join(' · ') : (schema.type ?? '');
  const bounds =
    schema.type === 'integer' && schema.maximum && schema.maximum < 1e6
      ? ` ${schema.minimum ?? ''}–${schema.maximum}`
      : '';
  return `\`${name}\`${required ? ' (required)' : ''}${form && form !== 'string' ? ` ${form}${bounds}` : ''}`;
}

export async function httpPage() {
  const { paths } = await openapi();
  const left = Object.entries(paths).flatMap(([path, ofPath]) =>
    Object.entries(ofPath).map(([method, o]) => ({ path, method, o })),
  );
  const parts = [];
  for (const [title, pattern] of GROUPS) {
    const mine = left.filter((r) => pattern.test(r.path));
    for (const r of mine) left.splice(left.indexOf(r), 1);
    const rows = mine.map(({ path, method, o }) => {
      const query = (o.parameters ?? []).filter((p) => p.in === 'query').map(parameterOf);
      const key = o.security.length === 0 ? ' No key needed.' : '';
      return `| \`${method.toUpperCase()} ${path}\` | ${cell(o.summary)}.${key} | ${cell(query.join(', '))} |`;
    });
    parts.push(`## ${title}\n\n| door | what | query |\n|---|---|---|\n${rows.join('\n')}`);
  }
  const shapes = readFileSync(join(root, 'bin/http-shapes.md'), 'utf8').trim();
  return `# HTTP\n\nGenerated from the routes of the HTTP doors (\`/openapi.json\` lists the same) by \`npm run gen\`.\n\n${shapes}\n\n${parts.join('\n\n')}\n`;
}

/** What each use of special networks is, for the page of them. */
const USES = {
  unspecified: 'no address yet',
  this_network: 'addresses of "this network"',
  private: 'private networks',
  shared: 'carrier-grade NAT, also inner networks of clouds',
  loopback: 'the machine itself',
  link_local: 'one line, also the metadata service of clouds',
  protocol: 'protocol assignments, also the metadata service of one cloud',
  documentation: 'examples in documents',
  six_to_four: '6to4: holds an IPv4 address',
  benchmark: 'benchmarks of devices',
  multicast: 'multicast',
  broadcast: 'broadcast',
  reserved: 'not given to anybody',
  v4_mapped: 'holds an IPv4 address',
  v4_translated: 'holds an IPv4 address',
  v4_compatible: 'holds an IPv4 address',
  nat64: 'NAT64: holds an IPv4 address',
  discard: 'thrown away',
  teredo: 'Teredo: holds an IPv4 address',
  segment_routing: 'segment routing',
};

export async function networksPage() {
  const { SPECIAL_NETWORKS } = await built('libs/networks/index.js');
  const unknown = SPECIAL_NETWORKS.find(({ use }) => USES[use] === undefined);
  if (unknown) throw new Error(`bin/pages.mjs USES lacks ${unknown.use}`);
  const rows = SPECIAL_NETWORKS.map(({ network, use }) => `| \`${network}\` | \`${use}\` | ${USES[use]} |`);
  const text = readFileSync(join(root, 'bin/networks.md'), 'utf8').trim();
  return `# Networks that webhooks reach\n\nGenerated from \`libs/networks/special.ts\` by \`npm run gen\`.\n\n${text}\n\n## Networks that are not public\n\nThe first row that holds an address counts.\n\n| network | use | what it is |\n|---|---|---|\n${rows.join('\n')}\n`;
}

export async function cliPage() {
  const { buildProgram } = await built('apps/cli/src/program.js');
  const program = buildProgram(async () => undefined);
  const parts = [];
  const walk = (command, path) => {
    if (command.commands.length > 0) for (const c of command.commands) walk(c, `${path} ${c.name()}`);
    else parts.push(`## ${path}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``);
  };
  walk(program, 'simpul');
  return `# Command line\n\nGenerated from the help of the commands by \`npm run gen\`. Run \`./bin/simpul.mjs\` in this folder. It prints a table on a terminal, and tab-separated values without a header in a pipe.\n\n\`\`\`text\n${helpOf(program)}\n\`\`\`\n\n${parts.join('\n\n')}\n`;
}

function helpOf(command) {
  let text = '';
  command
    .configureHelp({ helpWidth: 110 })
    .configureOutput({ writeOut: (t) => (text += t), getOutHelpWidth: () => 110, getOutHasColors: () => false });
  command.outputHelp();
  return text.trim();
}
