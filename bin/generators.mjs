// Every generated file and the function that makes it. Runs after the build, because pages are made from the built rooms.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bootstrap.mjs';
import { catalogue, contractFiles } from './gen-catalogue.mjs';
import { noticeText } from './gen-notice.mjs';
import { cliPage, eventTypesPage, httpPage, networksPage, viewsPage } from './pages.mjs';
import { lintConfig, ROOMS, withImports } from './rooms.mjs';

const built = (room) => import(pathToFileURL(join(root, `dist/libs/${room}/index.js`)).href);

async function errorsPage() {
  const { FAULT_CLASSES, FAULTS, UNIT_FAULTS } = await built('faults');
  const { statusOf } = await built('http');
  const row = (code, f, ...more) =>
    `| ${[`<a id="${code}"></a>\`${code}\``, ...more, `${f.class} · ${FAULT_CLASSES[f.class].action}`, `${f.title.id} · ${f.title.en}`, `${f.hint.id} · ${f.hint.en}`].join(' | ')} |`;
  const rows = Object.entries(FAULTS).map(([code, f]) => row(code, f, statusOf(code)));
  const unitRows = Object.entries(UNIT_FAULTS).map(([code, f]) => row(code, f));
  return `# Errors\n\nGenerated from \`libs/faults/table.ts\` and \`libs/http/status.ts\` by \`npm run gen\`. Every door answers \`application/problem+json\` with one of these codes.\n\n| code | status | class | text (id · en) | what to do (id · en) |\n|---|---|---|---|---|\n${rows.join('\n')}\n\n## In the process of a unit\n\nNo door answers these: the outbox, the hub for tests and the modules for tests throw them (\`OutboxFault\`, \`TestHubFault\`, \`SimpulTestFault\`, each a \`UnitFault\`). Generated from \`libs/faults/unit-table.ts\`.\n\n| code | class | text (id · en) | what to do (id · en) |\n|---|---|---|---|\n${unitRows.join('\n')}\n`;
}

async function settingsPage() {
  const { SETTINGS_REFERENCE } = await built('settings');
  const rows = SETTINGS_REFERENCE.map((s) => `| \`${s.name}\` | ${s.default} | ${s.text} |`);
  return `# Settings\n\nGenerated from \`libs/settings\` by \`npm run gen\`. Settings come from the environment only. A start lists all problems at once and never shows a secret.\n\n| name | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
}

/** TypeScript of event types, by file name. Without names: of every contract of the repository. */
async function typeScriptOf(sdk, names) {
  const { compileEventContract } = await built('avro');
  const { generateTypeScript } = await built('codegen');
  const all = contractFiles(root).map((file) =>
    compileEventContract(readFileSync(join(root, 'schemas', file), 'utf8')),
  );
  const known = all.map(({ properties: { type, version } }) => ({ type, version }));
  const contracts = all.filter(({ properties }) => names === undefined || names.includes(properties.type));
  return new Map(generateTypeScript(contracts, { sdk, known }).map((file) => [file.name, file.text]));
}

/** Generators of the files of a folder with typed events. */
function typedEvents(folder, sdk, names) {
  let files;
  const types = names ?? catalogue(root).types.map(({ type }) => type);
  return [...types.map((type) => `${type}.ts`), 'index.ts'].map((name) => [
    `${folder}/${name}`,
    async () => (await (files ??= typeScriptOf(sdk, names))).get(name),
  ]);
}
const eventTypeFiles = [
  ...typedEvents('libs/event-types', '#sdk'),
  ...['nest-unit-system', 'nest-directorate'].flatMap((example) =>
    typedEvents(`examples/${example}/src/events`, '@simpul/sdk', [
      'imigrasi.cegah.berakhir',
      'imigrasi.cegah.daftar-diterima',
      'imigrasi.cegah.ditetapkan',
    ]),
  ),
];

/** The README of each room: only its line "May import" is generated. */
const readmes = Object.keys(ROOMS).map((room) => {
  const file = `libs/${room}/README.md`;
  return [file, () => withImports(readFileSync(join(root, file), 'utf8'), room)];
});

export const generators = {
  '.oxlintrc.json': () => JSON.stringify(lintConfig(), null, 2),
  NOTICE: () => noticeText(root),
  'docs/reference/cli.md': cliPage,
  'docs/reference/errors.md': errorsPage,
  'docs/reference/event-types.md': eventTypesPage,
  'docs/reference/http.md': httpPage,
  'docs/reference/networks.md': networksPage,
  'docs/reference/settings.md': settingsPage,
  'docs/reference/views.md': viewsPage,
  'schemas/catalogue.json': () => JSON.stringify(catalogue(root)),
  ...Object.fromEntries(eventTypeFiles),
  ...Object.fromEntries(readmes),
};
