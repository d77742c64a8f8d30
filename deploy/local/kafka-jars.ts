import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Fault } from '#faults';
import { missingTool } from './missing-tool.js';

/** Receives one line of progress for the person who watches the start. */
export type Log = (line: string) => void;

const INSTALL = 'apt-get install openjdk-17-jre-headless maven';
/** Beside this file, also when the code runs from dist. */
const POM = [
  join(import.meta.dirname, 'kafka-pom.xml'),
  resolve(import.meta.dirname, '../../../deploy/local/kafka-pom.xml'),
];

/** Checks that Java 17 or later is on the PATH. Throws Fault `missing_tool`. */
function checkJava(): void {
  const run = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (run.error || run.status !== 0) throw missingTool('java (17 or later)', INSTALL);
  const version = Number(/version "(\d+)/.exec(run.stderr)?.[1] ?? 0);
  if (version < 17) throw missingTool(`java 17 or later (this is ${version})`, INSTALL);
}

/** True when brokers can be started on this machine without docker: there is java, and the jars are in the cache or mvn can fetch them. */
export function canRunKafka(cache: string): boolean {
  const works = (tool: string, flag: string): boolean => spawnSync(tool, [flag], { stdio: 'ignore' }).status === 0;
  return works('java', '-version') && (existsSync(join(cache, 'jars.ok')) || works('mvn', '-v'));
}

/**
 * The folder with the jars of Kafka. Maven fetches them once (about 50 MB) and again only when the pom has changed.
 * Throws Fault `missing_tool`: its detail names the missing tool and how to install it, or the error line of Maven.
 */
export async function ensureKafkaJars(cache: string, log: Log = () => {}): Promise<string> {
  const pom = POM.find((path) => existsSync(path));
  if (pom === undefined) throw missingTool('deploy/local/kafka-pom.xml', 'git checkout deploy/local/kafka-pom.xml');
  const pomHash = createHash('sha256').update(readFileSync(pom)).digest('hex');
  // Maven resolves a relative folder against the folder of the pom.
  const jars = resolve(cache, 'jars');
  const stamp = resolve(cache, 'jars.ok');
  checkJava();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === pomHash && holdsKafka(jars)) return jars;
  if (spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status !== 0) throw missingTool('mvn', INSTALL);
  log('Kafka: fetching the broker once through Maven (about 50 MB)');
  rmSync(jars, { recursive: true, force: true });
  mkdirSync(jars, { recursive: true });
  const { code, text } = await runMaven([
    '-q',
    '-B',
    '-f',
    pom,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${jars}`,
  ]);
  if (code !== 0 || !holdsKafka(jars)) {
    const line = text.split('\n').find((row) => row.includes('ERROR')) ?? 'mvn failed';
    throw new Fault('missing_tool', { detail: `Kafka could not be fetched through Maven: ${line.trim()}` });
  }
  writeFileSync(stamp, pomHash);
  return jars;
}

function holdsKafka(jars: string): boolean {
  return existsSync(jars) && readdirSync(jars).some((file) => file.startsWith('kafka_2.13-'));
}

function runMaven(args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((done) => {
    const child = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const collect = (chunk: Buffer): void => {
      text = (text + chunk.toString()).slice(-100_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (e) => done({ code: 1, text: e.message }));
    child.on('close', (code) => done({ code, text }));
  });
}
