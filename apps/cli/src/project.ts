import type { Language } from '#faults';
import { texts } from './texts.js';

/** What a new project is about. */
export interface ProjectOptions {
  readonly name: string;
  readonly unit: string;
  readonly lang: Language;
  readonly template: Template;
  readonly type: string;
  /** Name of the token of the type, and the file that exports it, without its ending. */
  readonly token: string;
  readonly module: string;
  /** Data of a valid sample of the unit. */
  readonly sample: unknown;
  /** What package.json says of the packages of Simpul: a version, or `file:` and a tarball in the project. Without `simpul` the project has no command line of its own. */
  readonly packages: Packages;
  /** Address of the hub, when it is not the one of the generated code. */
  readonly url: string | undefined;
}

export type Packages = Readonly<Record<'sdk' | 'nest', string>> & { readonly simpul?: string | undefined };

export const TEMPLATES = ['plain', 'nest'] as const;
export type Template = (typeof TEMPLATES)[number];

/** The files of a project beside the generated ones, by path. */
export function projectFiles(o: ProjectOptions): Readonly<Record<string, string>> {
  const nest = o.template === 'nest';
  return {
    'package.json': `${JSON.stringify(packageOf(o), null, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(TSCONFIG(nest), null, 2)}\n`,
    '.gitignore': 'node_modules\ndist\n.env\nsimpul-places.json\n',
    'README.md': readmeOf(o),
    'src/hub.ts': hubOf(o),
    'src/main.ts': nest ? nestMain(o) : plainMain(o),
    ...(nest ? { 'src/handlers.ts': nestHandlers(o) } : {}),
    'src/send.ts': sendOf(o),
  };
}

function packageOf(o: ProjectOptions): object {
  const nest = o.template === 'nest';
  return {
    name: o.name,
    private: true,
    type: 'module',
    engines: { node: '>=20.18.1' },
    scripts: {
      events: `simpul type gen --lang ts --out src/events ${o.type}`,
      build: 'tsc',
      start: 'node dist/main.js',
      send: 'node dist/send.js',
    },
    dependencies: {
      '@simpul/sdk': o.packages.sdk,
      ...(nest
        ? {
            '@simpul/nest': o.packages.nest,
            '@nestjs/common': '^12.0.0',
            '@nestjs/core': '^12.0.0',
            '@nestjs/microservices': '^12.0.0',
            'reflect-metadata': '^0.2.2',
            rxjs: '^7.8.1',
          }
        : {}),
    },
    // In a template, because packages.unit.spec.ts takes a quoted name for a package that this repository imports.
    devDependencies: {
      ...(o.packages.simpul === undefined ? {} : { simpul: o.packages.simpul }),
      [`@types/node`]: '^24.0.0',
      typescript: '~6.0.0',
    },
  };
}

const TSCONFIG = (nest: boolean): object => ({
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    module: 'nodenext',
    target: 'es2023',
    types: ['node'],
    rootDir: 'src',
    outDir: 'dist',
    ...(nest ? { experimentalDecorators: true, emitDecoratorMetadata: true } : {}),
  },
  include: ['src'],
});

const words = (lang: Language, id: string, en: string): string => (lang === 'en' ? en : id);

/** What goes wrong first, a missing key and a hub that does not run, is one line with what to do. */
function hubOf({ lang }: ProjectOptions): string {
  const noHub = words(
    lang,
    'tidak ada hub yang menjawab di ${hub.url} (${code}): jalankan hub, atau isi SIMPUL_URL',
    'no hub answers at ${hub.url} (${code}): start one, or set SIMPUL_URL',
  );
  const noKey = words(
    lang,
    'hub di ${hub.url} menolak kunci (${code}): isi SIMPUL_KEY, lihat README.md',
    'the hub at ${hub.url} refuses the key (${code}): set SIMPUL_KEY, see README.md',
  );
  return `import { isSdkFault } from '@simpul/sdk';

export const hub = {
  url: process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080',
  key: process.env['SIMPUL_KEY'] ?? '',
};

/** ${words(lang, 'Kegagalan dalam satu baris; program berakhir dengan kode 1.', 'A failure in one line; the program ends with code 1.')} */
export function tell(e: unknown): void {
  if (!isSdkFault(e)) throw e;
  const { status, code, problem } = e;
  if (status === 0) console.error(\`${noHub}\`);
  else if (status === 401) console.error(\`${noKey}\`);
  else console.error(status, code, JSON.stringify(problem.errors ?? problem.hint));
  process.exitCode = 1;
}
`;
}

function plainMain({ type, token, module, lang }: ProjectOptions): string {
  return `// ${words(lang, `Mendengarkan ${type}: fakta, dan kejadian uji dari \`simpul trigger\`.`, `Listens to ${type}: facts, and test events of \`simpul trigger\`.`)}
import { createReader, type DataOf, type ReadEvent } from '@simpul/sdk';
import { ${token} } from './events/${module}.js';
import { hub, tell } from './hub.js';

type Data = DataOf<typeof ${token}>;

const reader = createReader(hub);

function handle(data: Data, event: ReadEvent): void {
  const test = event['simpultest'] === 'true' ? '${words(lang, ' (uji)', ' (test)')}' : '';
  console.log(\`\${event.type}\${test} \${event.subject}\`, data);
}

async function listen(stream: string): Promise<void> {
  for await (const event of reader.live(stream, { type: ${token}.type })) handle(event.data as Data, event);
}

try {
  await reader.me({ deadlineMs: 2_000 });
  console.log(\`${words(lang, 'mendengarkan', 'listening to')} \${${token}.type}\`);
  await Promise.all([listen(${token}.stream), listen('_simpul.test')]);
} catch (e) {
  tell(e);
} finally {
  await reader.close();
}
`;
}

function nestHandlers({ token, module, lang }: ProjectOptions): string {
  return `import { Injectable } from '@nestjs/common';
import { Event, OnEvent } from '@simpul/nest';
import type { DataOf, EventOf } from '@simpul/sdk';
import { ${token} } from './events/${module}.js';

type Data = DataOf<typeof ${token}>;

@Injectable()
export class Handlers {
  @OnEvent(${token}, { attempts: 5 })
  async handle(data: Data, @Event() event: EventOf<Data>): Promise<void> {
    const test = event['simpultest'] === 'true' ? '${words(lang, ' (uji)', ' (test)')}' : '';
    console.log(\`\${event.type}\${test} \${event.subject}\`, data);
  }
}
`;
}

function nestMain({ type, lang }: ProjectOptions): string {
  return `// ${words(lang, `Menangani ${type}: satu handler, tempat baca disimpan di simpul-places.json.`, `Handles ${type}: one handler, the place is kept in simpul-places.json.`)}
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SimpulModule } from '@simpul/nest';
import { Handlers } from './handlers.js';
import { hub } from './hub.js';

@Module({
  imports: [
    SimpulModule.forRoot({ ...hub, testEvents: process.env['NODE_ENV'] !== 'production' }),
  ],
  providers: [Handlers],
})
class AppModule {}

await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
console.log('${words(lang, 'mendengarkan', 'listening to')} ${type}');
`;
}

function sendOf({ type, token, module, sample, lang }: ProjectOptions): string {
  return `// ${words(lang, `Mengirim satu ${type} sebagai kejadian uji; dengan --real sebagai fakta.`, `Sends one ${type} as a test event; with --real as a fact.`)}
import { connect, createPublisher, createReader, type DataOf } from '@simpul/sdk';
import { ${token} } from './events/${module}.js';
import { hub, tell } from './hub.js';

const data: DataOf<typeof ${token}> = ${JSON.stringify(sample, null, 2)};

const { key } = hub;
const connection = connect(hub);
try {
  const { unit, system } = await createReader({ connection, key }).me({ deadlineMs: 2_000 });
  const publisher = createPublisher({ connection, key, owner: unit, system });
  const extensions = process.argv.includes('--real') ? {} : { simpultest: 'true' };
  const receipt = await publisher.publish({ type: ${token}.type, data, extensions });
  console.log(receipt.position);
} catch (e) {
  tell(e);
} finally {
  await connection.close();
}
`;
}

/** The command line as the reader of the project has it. Without a package of its own in the project, `npx` would ask the public registry, where the name is somebody else's. */
const commandOf = ({ packages }: ProjectOptions): string => (packages.simpul === undefined ? 'simpul' : 'npx simpul');

/** What a person does beside `npm install`, in the folder of the hub: its admin key makes the key of the unit. */
export function preparation(o: ProjectOptions): readonly string[] {
  const system = o.name.replaceAll(/[^a-z0-9]+/g, '').slice(0, 20) || 'sistem';
  return [
    `export SIMPUL_KEY=$(${commandOf(o)} key create ${o.unit} --system ${system})`,
    ...(o.url === undefined ? [] : [`export SIMPUL_URL=${o.url}`]),
  ];
}

export const START = ['npm install', 'npm run build', 'npm start'] as const;

function readmeOf(o: ProjectOptions): string {
  const { name, unit, type, lang, template, packages } = o;
  const block = (...commands: readonly string[]): string => `\`\`\`sh\n${commands.join('\n')}\n\`\`\``;
  const tarballs = packages.sdk.startsWith('file:');
  const notice = texts.no_registry({ dir: '`packages`' }).in(lang);
  return `# ${name}

${words(lang, `Sistem unit ${unit} yang mendengarkan dan mengirim \`${type}\`.`, `A system of unit ${unit} that listens to and sends \`${type}\`.`)}

## ${words(lang, 'Jalankan', 'Run it')}

${words(lang, 'Di folder hub, yang menyimpan kunci admin:', 'In the folder of the hub, which has the admin key:')}

${block(...preparation(o))}

${words(lang, 'Lalu di folder ini:', 'Then in this folder:')}

${block(...START)}
${tarballs ? '' : `\n${notice.charAt(0).toUpperCase()}${notice.slice(1)}.\n`}
## ${words(lang, 'Coba dari terminal lain', 'Try it from another terminal')}

${words(lang, 'Dengan SIMPUL_KEY dari atas:', 'With the SIMPUL_KEY from above:')}

${block(`${commandOf(o)} trigger ${type}`, 'npm run send')}

${words(
  lang,
  '`npm run send` mengirim kejadian uji; dengan `-- --real` ia menjadi fakta.',
  '`npm run send` sends a test event; with `-- --real` it is a fact.',
)}${
    template === 'plain'
      ? ''
      : words(
          lang,
          ' Dengan NODE_ENV=production handler menerima fakta saja.',
          ' With NODE_ENV=production the handler gets facts only.',
        )
  }

${words(lang, 'Tipe kejadian dibuat dari kontrak hub, ulangi dengan', 'Types of events are generated from the contracts of the hub, again with')} \`npm run events\`.
`;
}
