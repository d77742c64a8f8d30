import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { CourierModule } from '#courier';
import { CoreModule } from '#core';
import { GatewayModule } from '#gateway';
import { openHttp, type HttpServer } from '#http';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { runCommand } from '../../apps/cli/src/run.js';
import { nodeArgs } from '../../deploy/local/child.js';
import { silentHub } from '../kit/hub/hub-module.js';
import { installBuild } from '../kit/installed.js';
import { until } from '../kit/projection/stage.js';
import { inTerminal, noTerminal, type Step } from '../kit/terminal.js';

const run = promisify(execFile);
const root = resolve('.');
const home = mkdtempSync(join(tmpdir(), 'simpul-init-'));
const before = { ...process.env };
const UNIT = 'SU00123';
let http: HttpServer;
let key: string;

async function simpul(...args: string[]) {
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--url', http.url, '--lang', 'en', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}

beforeAll(async () => {
  for (const name of ['SIMPUL_URL', 'SIMPUL_KEY', 'SIMPUL_CTX']) delete process.env[name];
  process.env['XDG_CONFIG_HOME'] = join(home, 'config');
  process.env['SIMPUL_DATA'] = join(home, 'hub');
  const settings = readHubSettings(silentHub(join(home, 'hub')));
  @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule, CourierModule] })
  class HubModule {}
  http = await openHttp(HubModule, { port: 0 });
  key = (await simpul('key', 'create', UNIT, '--system', 'baru')).out.trim();
});
afterAll(async () => {
  await http.close();
  process.env = before;
  rmSync(home, { recursive: true, force: true });
});

describe('simpul init', () => {
  it.each(['plain', 'nest'])(
    'writes a project (%s) that compiles in strict mode, sends a test event, and listens',
    async (template) => {
      const project = join(home, template);
      const made = await simpul('init', project, '--unit', UNIT, '--template', template);
      expect([made.code, made.out]).toEqual([0, expect.stringContaining(`${template}  ${UNIT}  `)]);
      installBuild(project);
      await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project]);
      const env = { ...process.env, SIMPUL_URL: http.url, SIMPUL_KEY: key };
      const listening = spawn(process.execPath, [join(project, 'dist/main.js')], { cwd: project, env });
      try {
        let said = '';
        for (const stream of [listening.stdout, listening.stderr])
          stream.on('data', (text: Buffer) => (said += text.toString()));
        await until(async () => said.includes('listening to') || listening.exitCode !== null);
        const { stdout } = await run(process.execPath, [join(project, 'dist/send.js')], { cwd: project, env });
        expect(stdout).toMatch(/^_simpul\.test\/0\/\d+\n$/);
        const type = made.out.trim().split('  ').at(-1)!;
        await until(async () => said.includes(`${type} (test) `) || listening.exitCode !== null);
        expect([listening.exitCode, said]).toEqual([null, expect.stringContaining(type)]);
      } finally {
        listening.kill('SIGKILL');
        await once(listening, 'close');
      }
      for (const [program, own, line] of [
        ['main', { SIMPUL_KEY: '' }, template === 'nest' ? /needs an API key/ : /refuses the key.*SIMPUL_KEY/],
        ['send', { SIMPUL_KEY: 'wrong' }, /refuses the key.*SIMPUL_KEY/],
        ['send', { SIMPUL_URL: 'http://127.0.0.1:1' }, /no hub answers at http:\/\/127\.0\.0\.1:1 .*SIMPUL_URL/],
      ] as const) {
        const args = [join(project, 'dist', `${program}.js`)];
        const failed = await run(process.execPath, args, { cwd: project, env: { ...env, ...own } }).catch(
          (e: unknown) => e as { code: number; stderr: string },
        );
        const said = failed.stderr.trimEnd().split('\n');
        expect([program, 'code' in failed && failed.code, said]).toEqual([program, 1, [expect.stringMatching(line)]]);
      }
      const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
        scripts: Record<string, string>;
      };
      expect(Object.keys(scripts)).toEqual(['events', 'build', 'start', 'send']);
    },
  );

  it('overwrites nothing, and says what is missing: a unit, a template, a unit that there is not, tarballs', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await simpul('init', ...args);
      expect([code === 0, out]).toEqual([false, '']);
      return err;
    };
    const full = join(home, 'penuh');
    mkdirSync(full);
    writeFileSync(join(full, 'x'), '');
    expect(await refused(full, '--unit', UNIT)).toContain('is not empty');
    expect(await refused(join(home, 'a'))).toContain('--unit');
    expect(await refused(join(home, 'a'), '--unit', UNIT, '--template', 'go')).toContain('plain, nest');
    expect(await refused(join(home, 'a'), '--unit', 'SU99999')).toContain('not_found');
    expect(await refused(join(home, 'a'), '--unit', UNIT, '--type', 'tidak.ada.apa')).toContain('not_found');
    expect(await refused(join(home, 'a'), '--unit', UNIT, '--packages', home)).toContain('npm run pack');
  });
});

const reason = noTerminal();
(reason === undefined ? describe : describe.skip)(
  `the questions of simpul init, at a terminal${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    const ask = (lang: string, folder: string, steps: readonly Step[], ...more: readonly string[]) => {
      const args = ['--url', http.url, '--lang', lang, ...more, 'init', join(home, folder)];
      return inTerminal([process.execPath, ...nodeArgs('apps/cli/src/main.js', args)], steps, { cwd: home });
    };
    const manifestOf = (folder: string): string => readFileSync(join(home, folder, 'package.json'), 'utf8');

    it('come in Indonesian and English; no answer takes the default: the unit of the key, the language of the terminal, plain', async () => {
      const id = await ask(
        'id',
        'tanya',
        [
          [`? Unit (${UNIT}): `, '\r'],
          ['? Bahasa proyek: id atau en (id): ', '\r'],
          ['? plain (Node.js saja) atau nest (NestJS) (plain): ', '\r'],
        ],
        '--key',
        key,
      );
      expect([id.ended, id.left, id.screen]).toEqual([0, [], expect.stringContaining(`plain  ${UNIT}  `)]);
      expect(readFileSync(join(home, 'tanya/src/main.ts'), 'utf8')).toContain('Mendengarkan');
      const en = await ask('en', 'ask', [
        ['? Unit: ', `${UNIT}\r`],
        ['? Language of the project: id or en (en): ', 'id\r'],
        ['? plain (Node.js alone) or nest (NestJS) (plain): ', 'nest\r'],
      ]);
      expect([en.ended, en.left]).toEqual([0, []]);
      expect(manifestOf('ask')).toContain('@simpul/nest');
      expect(readFileSync(join(home, 'ask/src/main.ts'), 'utf8')).toContain('Menangani');
    });

    it('come again after a wrong answer, with those that there are; a unit that there is not ends it, and nothing is written', async () => {
      const wrong = await ask('en', 'salah', [
        ['? Unit: ', `${UNIT}\r`],
        ['(en): ', 'jawa\r'],
        ['! jawa: id, en', ''],
        ['(en): ', '\r'],
        ['(plain): ', 'go\r'],
        ['! go: plain, nest', ''],
        ['(plain): ', '\r'],
      ]);
      expect([wrong.ended, wrong.left]).toEqual([0, []]);
      const missing = await ask('en', 'tiada', [
        ['? Unit: ', 'SU99999\r'],
        ['(en): ', '\r'],
        ['(plain): ', '\r'],
      ]);
      expect([missing.ended, missing.left, missing.screen]).toEqual([1, [], expect.stringContaining('not_found')]);
      expect(existsSync(join(home, 'tiada'))).toBe(false);
    });

    it.each([
      ['Ctrl-C', '\u0003', 'by signal 2'],
      ['Ctrl-D', '\u0004', 2],
    ])('end with %s at any of them, without a word of Node, and nothing is written', async (_key, keys, ended) => {
      const answers: Step[] = [
        ['? Unit: ', `${UNIT}\r`],
        ['(en): ', '\r'],
        ['(plain): ', '\r'],
      ];
      for (const n of answers.keys()) {
        const run = await ask('en', 'putus', [...answers.slice(0, n), [answers[n]![0], keys]]);
        expect([n, run.ended, run.left, run.screen.includes('Warning')]).toEqual([n, ended, [], false]);
        expect(readdirSync(home)).not.toContain('putus');
      }
    });
  },
);

it('simpul init that cannot write a file leaves none', async () => {
  const packages = join(home, 'tarball');
  mkdirSync(join(packages, 'simpul-sdk-0.1.0.tgz'), { recursive: true });
  const made = await simpul('init', join(home, 'gagal'), '--unit', UNIT, '--packages', packages);
  expect([made.code, made.out]).toEqual([2, '']);
  expect(existsSync(join(home, 'gagal'))).toBe(false);
});
