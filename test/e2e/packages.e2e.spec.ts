import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { noKafkaHub } from '../kit/kafka-hub.js';
import { openNpmRegistry, type NpmRegistry } from '../kit/npm-registry.js';
import { nodesOfThisMachine } from '../kit/old-nodes.js';
import { openReadme, type Readme } from '../kit/readme.js';

const run = promisify(execFile);
const root = resolve('.');
const home = mkdtempSync(join(tmpdir(), 'simpul-packages-'));
const PACKAGES = ['sdk', 'nest', 'simpul'] as const;
type Name = (typeof PACKAGES)[number];
const folderOf = (name: Name): string => join(home, 'work', name);
const staged = (name: Name): string => join(home, 'packages', name);
const readmes = {} as Record<Name, Readme>;
const tutorial = openReadme('docs/tutorial/nest.md');
const tutorialFolder = join(home, 'work', 'tutorial');
let registry: NpmRegistry;
let hub: ChildProcess;
let env: NodeJS.ProcessEnv;
let hubOutput = '';

/** Runs a block of a README in the folder of its package. */
const shell = (name: Name, block: string, more: NodeJS.ProcessEnv = {}) =>
  run('bash', ['-euc', block], { cwd: folderOf(name), env: { ...env, ...more } });

/** Starts a program in a group of its own, as a shell does: Ctrl-C goes to the whole group. */
const start = (command: string, args: readonly string[], cwd = folderOf('simpul')): ChildProcess =>
  spawn(command, args, { cwd, env: { ...env, SIMPUL_PORT: '0' }, detached: true });

/** Puts the tarballs and the files of a page into an empty folder, and runs the first block of the page there, which installs. */
async function install(page: Readme, cwd: string): Promise<void> {
  mkdirSync(cwd, { recursive: true });
  for (const file of readdirSync(join(home, 'packages')).filter((f) => f.endsWith('.tgz')))
    copyFileSync(join(home, 'packages', file), join(cwd, file));
  page.writeFiles(cwd);
  await run('bash', ['-euc', page.commands[0]!], { cwd, env });
}

/** Waits until a process has written a text. */
async function written(child: ChildProcess, ...texts: readonly string[]): Promise<string> {
  let output = '';
  const ended = once(child, 'close').then(([code]) => `ended with ${String(code)}: `);
  const seen = new Promise<string>((done) => {
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk) => {
        output += String(chunk);
        if (texts.every((text) => output.includes(text))) done('');
      });
  });
  const why = await Promise.race([ended, seen]);
  if (why !== '') throw new Error(why + output);
  return output;
}

beforeAll(async () => {
  registry = await openNpmRegistry();
  // npm of this machine, without its settings: the registry above, and a cache of its own.
  env = {
    PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
    HOME: home,
    LANG: 'en_US.UTF-8',
    npm_config_registry: registry.url,
    npm_config_ignore_scripts: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  };
  await run(process.execPath, ['bin/pack.mjs', join(home, 'packages')], { env });
  for (const name of PACKAGES) readmes[name] = openReadme(join(staged(name), 'README.md'));
  await Promise.all([
    ...PACKAGES.map((name) => install(readmes[name], folderOf(name))),
    install(tutorial, tutorialFolder),
  ]);
  hub = start('bash', ['-c', readmes.simpul.commands[1]!]);
  hubOutput = await written(hub, 'Stop: Ctrl-C');
  env['SIMPUL_URL'] = /http:\/\/\S+/.exec(hubOutput)![0];
}, 180_000);

afterAll(async () => {
  if (hub?.exitCode === null && hub.signalCode === null) process.kill(-hub.pid!, 'SIGKILL');
  await registry?.close();
  rmSync(home, { recursive: true, force: true });
});

describe('the tarballs of npm run pack', () => {
  it.each(PACKAGES)('of %s have no finding of publint', async (name) => {
    await run(process.execPath, ['node_modules/publint/src/cli.js', staged(name), '--strict', '--pack', 'false'], {
      env,
    });
  });

  it.each(['sdk', 'nest'] as const)('of %s have types that every resolution of ES modules finds', async (name) => {
    const tarball = globSync(join(home, 'packages', `simpul-${name}-*.tgz`))[0]!;
    const cli = 'node_modules/@arethetypeswrong/cli/dist/index.js';
    await run(process.execPath, [cli, tarball, '--profile', 'esm-only', '--format', 'json'], { env });
  });

  it.each(PACKAGES)('of %s name no file of this repository, and no room by #', (name) => {
    for (const file of readdirSync(staged(name), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(js|ts|json|mjs|md)$/.test(file)) continue;
      const text = readFileSync(join(staged(name), file), 'utf8');
      expect([file, text.includes(root), text.includes('sourceMappingURL')]).toEqual([file, false, false]);
      if (name !== 'simpul') expect([file, /from ["']#|dist\/libs|node_modules\//.test(text)]).toEqual([file, false]);
    }
  });

  it('share one @simpul/sdk, which the app and @simpul/nest import', () => {
    const copies = globSync('**/@simpul/sdk/package.json', { cwd: folderOf('nest') });
    expect(copies).toEqual([join('node_modules', '@simpul', 'sdk', 'package.json')]);
    const { dependencies, peerDependencies } = JSON.parse(
      readFileSync(join(staged('nest'), 'package.json'), 'utf8'),
    ) as {
      readonly dependencies?: object;
      readonly peerDependencies: object;
    };
    expect(peerDependencies).toHaveProperty(['@simpul/sdk']);
    expect(dependencies ?? {}).not.toHaveProperty(['@simpul/sdk']);
  });

  it.each(['sdk', 'nest'] as const)(
    'of %s name kafkajs as an optional peer in the version that was tested, because a subpath needs it',
    (name) => {
      const { peerDependencies, peerDependenciesMeta } = JSON.parse(
        readFileSync(join(staged(name), 'package.json'), 'utf8'),
      ) as { readonly peerDependencies?: object; readonly peerDependenciesMeta?: object };
      expect([peerDependencies, peerDependenciesMeta]).toEqual([
        expect.objectContaining({ kafkajs: '2.2.4' }),
        expect.objectContaining({ kafkajs: { optional: true } }),
      ]);
    },
  );

  it('say in one line, without a stack, that Node.js is too old', () => {
    const old =
      "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.20.8'}})";
    const lines = (name: Name, args: readonly string[]) => {
      const { status, stderr } = spawnSync(process.execPath, ['--import', old, ...args], {
        cwd: folderOf(name),
        env,
        encoding: 'utf8',
      });
      return [status, stderr.includes('    at '), stderr] as const;
    };
    for (const name of ['sdk', 'nest'] as const) {
      const script = `await import('@simpul/${name}')`;
      expect(lines(name, ['--input-type=module', '-e', script])).toEqual([
        1,
        false,
        expect.stringContaining(`@simpul/${name} needs Node.js 20.18.1 or newer (here 18.20.8)`),
      ]);
    }
    expect(lines('simpul', ['node_modules/.bin/simpul', 'up'])).toEqual([
      1,
      false,
      expect.stringMatching(/^✗ Node\.js 24\.15 or newer is needed \(here v.*\n$/),
    ]);
  });

  it('say in one line, without a stack, that kafkajs is missing, at the subpaths that need it only', () => {
    const lines = (id: string) => {
      const args = ['--input-type=module', '-e', `await import('${id}')`];
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: folderOf('nest'), env, encoding: 'utf8' });
      return [status, stderr.includes('    at '), stderr] as const;
    };
    const missing = '@simpul/sdk: the package kafkajs is missing. Install it: npm install kafkajs@2.2.4';
    // The hub for the tests of the README brings it.
    const [kafkajs, away] = ['kafkajs', '.kafkajs'].map((name) => join(folderOf('nest'), 'node_modules', name));
    renameSync(kafkajs!, away!);
    try {
      for (const id of ['@simpul/nest/kafka', '@simpul/sdk/kafka'])
        expect(lines(id)).toEqual([1, false, expect.stringContaining(missing)]);
      expect(lines('@simpul/nest')).toEqual([0, false, '']);
    } finally {
      renameSync(away!, kafkajs!);
    }
  });
});

describe('simpul init, where the tarballs are', () => {
  it.each(['plain', 'nest'])(
    'makes a project (%s) whose README, followed as it is printed, installs, listens, and gets what it sends; what is printed says so too',
    async (template) => {
      const folder = folderOf('simpul');
      // The hub of the data folder, as a reader has it who has started it there.
      const own = { ...env, SIMPUL_URL: undefined };
      const bash = (block: string) => run('bash', ['-euc', block], { cwd: folder, env: own });
      const made = await bash(`npx simpul --lang en init ${template} --unit SU00518 --template ${template}`);
      const printed = made.stderr.split('\n').map((line) => line.trim());
      const readme = openReadme(join(folder, template, 'README.md'));
      const [prepare, go, attempt] = readme.commands;
      expect(printed).toEqual(expect.arrayContaining(prepare!.trim().split('\n')));
      expect(printed).toContain(`cd ${template} && ${go!.trim().split('\n').join(' && ')}`);
      const there = `${prepare!}cd ${template}\n`;
      const app = spawn('bash', ['-euc', there + go!], { cwd: folder, env: own, detached: true });
      try {
        await written(app, 'listening to');
        const type = made.stdout.trim().split('  ').at(-1)!;
        const received = written(app, `${type} (test) `);
        await bash(there + attempt!);
        await received;
        await bash(`${there}npm run events`);
      } finally {
        const closed = once(app, 'close');
        process.kill(-app.pid!, 'SIGKILL');
        await closed;
      }
    },
    120_000,
  );

  it('says that no public registry has the packages where there are no tarballs, and the README says what to do', async () => {
    const folder = join(folderOf('simpul'), 'kosong');
    mkdirSync(folder);
    const { stderr } = await run('bash', ['-euc', 'npx simpul --lang en init app --unit SU00518'], {
      cwd: folder,
      env: { ...env, SIMPUL_KEY: readFileSync(join(folderOf('simpul'), '.simpul/data/admin.key'), 'utf8').trim() },
    });
    const said = /no public registry.*npm run pack.*npm install \.\/packages\/\*\.tgz/;
    expect(stderr).toMatch(said);
    expect(readFileSync(join(folder, 'app/README.md'), 'utf8')).toMatch(said);
  });
});

describe('the READMEs of the packages, followed in empty folders outside this repository', () => {
  let key: string;
  const nodes = nodesOfThisMachine();

  it('of simpul start a hub with its data in the current folder, and make a key', async () => {
    expect(hubOutput).toContain(join(folderOf('simpul'), '.simpul/data/admin.key'));
    // The hub has a free port: the commands find it by its data folder, as a reader would who has started it on another port.
    const { stdout } = await shell('simpul', readmes.simpul.commands[2]!, { SIMPUL_URL: undefined });
    key = stdout.split('\n')[0]!;
    expect(key).toMatch(/^simpul_/);
    expect(stdout).toContain('pas.hunian');
  });

  it('of sdk compile as they are printed, publish an event and read it', async () => {
    const { stdout } = await shell('sdk', readmes.sdk.commands[1]!, { SIMPUL_KEY: key });
    expect(stdout).toMatch(/^recorded at pas\.hunian\/\d+\/\d+\npas\.hunian\.dilaporkan SU00518:/);
  });

  it('of nest compile as they are printed, with --strict and the types of all packages checked, and not with a wrong field', async () => {
    await shell('nest', readmes.nest.commands[1]!, { SIMPUL_KEY: key });
    // The same app with a field that the type does not have: tsc fails unless it finds that error.
    const source = readFileSync(join(folderOf('nest'), 'src/main.ts'), 'utf8');
    const wrong = source.replace('  perempuan: 17', '  // @ts-expect-error\n  perempuann: 17');
    expect(wrong).not.toBe(source);
    writeFileSync(join(folderOf('nest'), 'src/wrong.ts'), wrong);
    await shell('nest', readmes.nest.commands[2]!.split('\n')[0]!);
    expect(existsSync(join(folderOf('nest'), 'dist/main.js'))).toBe(true);
  });

  it('of nest test the app as it is printed, in memory and with a hub of the package simpul, whatever hub the app names', async () => {
    const own = { SIMPUL_URL: 'http://127.0.0.1:1', SIMPUL_KEY: '' };
    const { stdout } = await shell('nest', readmes.nest.commands[3]!.split('\n').at(-2)!, own);
    expect(stdout).toMatch(/pass 2\n/);
  });

  it('of nest have what the examples need: nest-unit-system compiles and the publisher publishes, each in a copy', async () => {
    const copy = (example: string): string => {
      // Below the folder of nest, whose node_modules has every package.
      const to = join(folderOf('nest'), 'examples', example);
      cpSync(join(root, 'examples', example), to, { recursive: true });
      return to;
    };
    const npm = (cwd: string, block: string) => run('bash', ['-euc', block], { cwd, env: { ...env, SIMPUL_KEY: key } });
    await npm(copy('nest-unit-system'), 'npx tsc');
    expect((await npm(copy('publisher'), 'npm start')).stdout).toMatch(/\nrecorded at pas\.hunian/);
  });

  it.each(nodes)('run on Node.js $version: both publish and receive, and read webhooks', async ({ path, version }) => {
    const own = { ...env, SIMPUL_KEY: key };
    const sdk = { cwd: folderOf('sdk'), env: own };
    expect((await run(path, ['dist/publish.js'], sdk)).stdout).toMatch(/^recorded at/);
    expect((await run(path, ['dist/read.js'], sdk)).stdout).toContain('pas.hunian.dilaporkan');
    const queued = `
      import { createPublisher } from '@simpul/sdk/outbox';
      try {
        const { key, url } = { key: process.env.SIMPUL_KEY, url: process.env.SIMPUL_URL };
        const publisher = await createPublisher({ outbox: 'outbox.sqlite', url, key, owner: 'SU00518', system: 'sdp' });
        await publisher.close();
        console.log('opened');
      } catch (e) {
        console.log(e.code);
      }`;
    const outbox = await run(path, ['--input-type=module', '-e', queued], sdk);
    expect(outbox.stdout).toBe(version.startsWith('v20.') ? 'outbox_unsupported\n' : 'opened\n');
    const received = `
      import { receiveWebhook, verifyWebhook, webhookHandler, webhookPlugin } from '@simpul/sdk/webhooks';
      import { createHmac } from 'node:crypto';
      const [key, at] = [Buffer.alloc(32, 7), String(Math.floor(Date.now() / 1000))];
      const secrets = 'whsec_' + key.toString('base64');
      const event = { specversion: '1.0', id: 'a', source: 'urn:x', type: 'uji.kasus.lahir', subject: 's', data: { nomor: 'N-1' } };
      const body = JSON.stringify({ ...event, position: 'uji.kasus/0/1', recordedtime: '2021-07-15T02:30:00Z', dataschema: 'urn:simpul:schema:uji.kasus.lahir:1' });
      const signature = 'v1,' + createHmac('sha256', key).update('msg_1.' + at + '.' + body).digest('base64');
      const headers = { 'content-type': 'application/cloudevents+json', 'webhook-id': 'msg_1', 'webhook-timestamp': at, 'webhook-signature': signature };
      const { events } = await receiveWebhook({ headers, body }, { secrets });
      console.log(events[0].event.data.nomor, verifyWebhook({ headers, body }, secrets).ok);
      for (const make of [webhookHandler, webhookPlugin]) console.log(typeof make(() => undefined, { secrets }));`;
    const webhooks = await run(path, ['--input-type=module', '-e', received], sdk);
    expect(webhooks.stdout).toBe('N-1 true\nfunction\nfunction\n');
    const app = spawn(path, ['dist/main.js'], { cwd: folderOf('nest'), env: own });
    const ended = once(app, 'exit');
    try {
      await written(app, 'published pas.hunian/', 'received SU00518:');
    } finally {
      app.kill('SIGTERM');
    }
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  it('of simpul end the hub cleanly on Ctrl-C, also when it has started again on its data', async () => {
    const data = join(folderOf('simpul'), '.simpul/data');
    const stopped = async (child: ChildProcess): Promise<unknown> => {
      // The streams close when every process of the group has ended: npx itself does not wait for the hub.
      const ended = once(child, 'close');
      process.kill(-child.pid!, 'SIGINT');
      const [code] = (await ended) as [number | null];
      // SQLite removes the write-ahead log when a store is closed.
      expect([existsSync(join(data, 'state.sqlite')), existsSync(join(data, 'state.sqlite-wal'))]).toEqual([
        true,
        false,
      ]);
      return code;
    };
    await stopped(hub);
    hub = start('node_modules/.bin/simpul', ['up']);
    await written(hub, 'Stop: Ctrl-C');
    expect(await stopped(hub)).toBe(0);
  });
});

describe('docs/tutorial/nest.md, followed in an empty folder outside this repository', () => {
  const own: ChildProcess[] = [];
  const block = (command: string) => start('bash', ['-euc', command], tutorialFolder);
  const started = (command: string): ChildProcess => {
    const child = block(command);
    own.push(child);
    return child;
  };
  const ended = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    process.kill(-child.pid!, 'SIGINT');
    await closed;
  };
  afterAll(async () => {
    for (const child of own.toReversed()) await ended(child);
  });

  it('gives an app that publishes a typed event, one that receives it also after a restart, and a compile error for a wrong field', async () => {
    const [, up, prepare, office, prison, wrong] = tutorial.commands;
    const follow = (command: string) => run('bash', ['-euc', command], { cwd: tutorialFolder, env });
    const before = env['SIMPUL_URL'];
    // The hub has a free port here: the apps, and the commands, get its address as they would on a machine whose 8080 is taken.
    env['SIMPUL_URL'] = /http:\/\/\S+/.exec(await written(started(up!), 'Ctrl-C'))![0];
    try {
      await follow(prepare!);
      const first = started(office!);
      await written(first, 'listening\n');
      const received = written(first, 'SU00518: 331 in 327 places\n');
      expect((await follow(prison!)).stdout).toMatch(/^published pas\.hunian\/\d+\/0\n$/);
      await received;
      await ended(first);
      await follow(prison!);
      const second = started(office!.split('\n').at(-2)!);
      expect((await written(second, 'SU00518')).match(/SU00518/g)).toHaveLength(1);
      const refused = (await follow(wrong!).catch((e: unknown) => e)) as { readonly code: number; stdout: string };
      expect([refused.code, refused.stdout]).toEqual([2, expect.stringContaining(tutorial.outputs.at(-1)!.trim())]);
    } finally {
      env['SIMPUL_URL'] = before;
    }
  });

  const reason = noKafkaHub();
  const onKafka = reason === undefined ? it : it.skip;
  onKafka(
    `lets the office receive straight from Kafka what was published over HTTP${reason === undefined ? '' : ` (skipped: ${reason})`}`,
    async () => {
      const [, , , , prison, , up, prepare, office] = tutorial.commands;
      const follow = (command: string) => run('bash', ['-euc', command], { cwd: tutorialFolder, env });
      const before = { ...env };
      // A Kafka and a Redis that run already, as the page allows.
      env['SIMPUL_KAFKA'] = process.env['SIMPUL_TEST_KAFKA'];
      env['SIMPUL_REDIS'] = process.env['SIMPUL_TEST_REDIS'];
      env['SIMPUL_KAFKA_PREFIX'] = `q${Math.random().toString(36).slice(2, 10)}.`;
      try {
        const output = await written(started(up!), 'Ctrl-C');
        env['SIMPUL_URL'] = /http:\/\/\S+/.exec(output)![0];
        await follow(prepare!);
        const reading = started(office!);
        await written(reading, 'listening\n');
        const received = written(reading, 'SU00518: 331 in 327 places\n');
        expect((await follow(prison!)).stdout).toMatch(/^published pas\.hunian\/\d+\/0\n$/);
        await received;
        await ended(reading);
      } finally {
        env = before;
      }
    },
  );
});
