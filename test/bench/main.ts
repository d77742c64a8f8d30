/**
 * npm run bench: ratios of variants in one run, interleaved, medians of ROUNDS, CPU of the process under test beside every rate.
 * Needs SIMPUL_TEST_KAFKA and SIMPUL_TEST_REDIS (the launcher provides both). Writes docs/reference/benchmarks.md with --write.
 */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { execFileSync } from 'node:child_process';
import { embeddedAppend } from './embedded.js';
import { gatewayBench } from './gateway.js';
import { latencyBench } from './latency.js';
import { projectorBench } from './projector.js';
import { idleBench } from './idle.js';

export interface Finding {
  readonly title: string;
  /** Table rows: name, events/s, CPU µs an event. */
  readonly rows: readonly (readonly string[])[];
  readonly head: readonly string[];
  /** `ratio ≥ bar` lines. */
  readonly bars: readonly { readonly text: string; readonly value: number; readonly bar: number; readonly atMost?: boolean }[];
}

const benches: Record<string, () => Promise<Finding>> = {
  gateway: gatewayBench,
  projector: projectorBench,
  embedded: embeddedAppend,
  latency: latencyBench,
  idle: idleBench,
};

function page(findings: readonly Finding[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const lines = [
    '# Benchmarks',
    '',
    `Written by \`npm run bench -- --write\` on ${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? '?'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}. Broker, Redis, load generator and the process under test share the cores. Ratios count, absolute rates are this machine's.`,
  ];
  for (const f of findings) {
    lines.push('', `## ${f.title}`, '', `| ${f.head.join(' | ')} |`, `|${f.head.map(() => '---').join('|')}|`);
    for (const r of f.rows) lines.push(`| ${r.join(' | ')} |`);
    lines.push('');
    for (const b of f.bars)
      lines.push(`- ${b.text}: **${b.value.toFixed(2)}** (bar ${b.atMost ? '≤' : '≥'} ${b.bar})${(b.atMost ? b.value <= b.bar : b.value >= b.bar) ? '' : ' — below the bar'}`);
  }
  return `${lines.join('\n')}\n`;
}

const words = process.argv.slice(2);
const wanted = words.filter((w) => !w.startsWith('--'));
const findings: Finding[] = [];
for (const [name, run] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`… ${name}\n`);
  findings.push(await run());
  process.stdout.write(page(findings.slice(-1)).split('\n').slice(3).join('\n'));
}
if (words.includes('--write')) writeFileSync('docs/reference/benchmarks.md', page(findings));
process.exit(0);
