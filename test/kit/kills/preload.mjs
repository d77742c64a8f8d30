// Loaded before the code of a process that is to be killed at one of its steps: a change of the file system, or a statement of SQLite. Every thread counts.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import workers from 'node:worker_threads';

const { existsSync, fstatSync, openSync, writeSync } = fs;
const { SIMPUL_TEST_STEPS: steps, SIMPUL_TEST_ARMED: armed, SIMPUL_TEST_KILL: kill } = process.env;
const [at, how] = (kill ?? '').split(' ');
/** One byte for each step, so that all threads count together. */
const count = openSync(steps, 'a+');

function step() {
  if (!existsSync(armed)) return;
  writeSync(count, '.');
  if (fstatSync(count).size !== Number(at)) return;
  if (how === 'during') {
    // the parent kills while the step runs
    writeSync(1, '\nsimpul-test-step\n');
    return;
  }
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}

const CHANGES = [
  'chmodSync',
  'copyFileSync',
  'fsyncSync',
  'mkdirSync',
  'openSync',
  'renameSync',
  'rmSync',
  'writeSync',
];
for (const name of CHANGES) {
  const original = fs[name];
  fs[name] = (...args) => {
    step();
    return original(...args);
  };
}
const { Worker } = workers;
workers.Worker = class extends Worker {
  constructor(file, options) {
    super(file, { ...options, execArgv: ['--import', import.meta.url] });
  }
};
syncBuiltinESMExports();
for (const [of, names] of [
  [DatabaseSync, ['exec']],
  [StatementSync, ['run', 'get']],
])
  for (const name of names) {
    const original = of.prototype[name];
    of.prototype[name] = function (...args) {
      step();
      return original.apply(this, args);
    };
  }
