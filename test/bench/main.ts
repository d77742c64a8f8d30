/**
 * npm run bench [-- gateway projector embedded kafka-source latency idle live pages consuming outbox deliveries pull pull-million] [-- --write]: `deliveries` stands for its parts deliveries-push, deliveries-latency,
 * deliveries-failing and deliveries-poison. Compares variants in one run (interleaved, medians of ROUNDS) and shows the CPU
 * time of the process under test with every rate. The launcher sets SIMPUL_TEST_KAFKA and SIMPUL_TEST_REDIS. --write writes docs/reference/benchmarks.md.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { consumingBench } from './consuming.js';
import { failingBench } from './deliveries-failing.js';
import { deliveryLatencyBench } from './deliveries-latency.js';
import { poisonBench } from './deliveries-poison.js';
import { pushBench } from './deliveries-push.js';
import { embeddedAppend } from './embedded.js';
import type { Bar, Finding } from './finding.js';
import { gatewayBench } from './gateway.js';
import { idleBench } from './idle.js';
import { kafkaSourceBench } from './kafka-source.js';
import { latencyBench } from './latency.js';
import { liveBench } from './live.js';
import { outboxBench } from './outbox.js';
import { pagesBench } from './pages.js';
import { projectorBench } from './projector.js';
import { pullBench, pullMillionBench } from './pull.js';

const PAGE = 'docs/reference/benchmarks.md';
const benches: Record<string, () => Promise<Finding>> = {
  gateway: gatewayBench,
  projector: projectorBench,
  embedded: embeddedAppend,
  'kafka-source': kafkaSourceBench,
  latency: latencyBench,
  idle: idleBench,
  live: liveBench,
  pages: pagesBench,
  consuming: consumingBench,
  outbox: outboxBench,
  'deliveries-push': pushBench,
  'deliveries-latency': deliveryLatencyBench,
  'deliveries-failing': failingBench,
  'deliveries-poison': poisonBench,
  pull: pullBench,
};
/** Only when they are named. */
const long: Record<string, () => Promise<Finding>> = { 'pull-million': pullMillionBench };
const all = { ...benches, ...long };

const loadAtStart = loadavg()[0]!;
const met = (b: Bar): boolean => (b.atMost ? b.value <= b.bar : b.value >= b.bar);

function sectionOf(f: Finding): string[] {
  return [
    `## ${f.title}`,
    '',
    `| ${f.head.join(' | ')} |`,
    `|${f.head.map(() => ' --- ').join('|')}|`,
    ...f.rows.map((r) => `| ${r.join(' | ')} |`),
    '',
    ...f.bars.map(
      (b) => `- ${b.text}: **${b.value.toFixed(2)}** (${b.atMost ? '≤' : '≥'} ${b.bar})${met(b) ? '' : ' — missed'}`,
    ),
    ...(f.notes ?? []).map((note) => `- ${note}`),
    '',
  ];
}

function pageOf(findings: readonly Finding[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  return [
    '# Benchmarks',
    '',
    `Written by \`npm run bench -- --write\` on ${new Date().toISOString().slice(0, 10)} at ${commit}: ${cpus().length} cores (${cpus()[0]?.model.trim() ?? '?'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; load average at the start ${loadAtStart.toFixed(1)}.`,
    'Broker, Redis, load generator and the process under test share these cores. Read the ratios: both sides of each were measured in one run, in turn, and the median of the rounds is given. The rates are those of this machine on that day.',
    '',
    ...findings.flatMap(sectionOf),
  ].join('\n');
}

const words = process.argv.slice(2);
const wanted = words
  .filter((w) => !w.startsWith('--'))
  .flatMap((w) => (w === 'deliveries' ? Object.keys(all).filter((name) => name.startsWith(`${w}-`)) : [w]));
const unknown = wanted.filter((w) => !(w in all));
if (unknown.length > 0) {
  process.stderr.write(`unknown bench ${unknown.join(', ')}; benches: ${Object.keys(all).join(', ')}\n`);
  process.exit(2);
}
const write = words.includes('--write');
if (write && wanted.length > 0) {
  process.stderr.write('--write needs all benches, because the page shows one run\n');
  process.exit(2);
}
const findings: Finding[] = [];
for (const [name, run] of Object.entries(wanted.length > 0 ? all : benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`… ${name}\n`);
  const found = await run();
  findings.push(found);
  process.stdout.write(`${sectionOf(found).join('\n')}\n`);
}
if (write) writeFileSync(PAGE, pageOf(findings));
process.exit(findings.every((f) => f.bars.every(met)) ? 0 : 1);
