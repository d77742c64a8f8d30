import { setTimeout as sleep } from 'node:timers/promises';
import { digestOfFacts, digestOfState, facts, fold } from '../state/conformance/fold.js';
import { openEmbeddedState } from './index.js';

// A process that folds until it is killed or done. It prints the position after each acknowledged commit, and after a fault whether the stored state is whole.
const [dir = '', seed = '1', length = '0', weight = '0'] = process.argv.slice(2);
const part = { stream: 'imigrasi.paspor', partition: 0 };
const log = facts(Number(seed), Number(length));
const state = await openEmbeddedState({ dir });
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Writes large values beside the fold, so that the file soon reaches its size limit. */
let at = 0n;
async function ballast(): Promise<void> {
  if (Number(weight) === 0) return;
  const value = JSON.stringify('x'.repeat(Number(weight)));
  const put = { space: 'entry' as const, key: `besar${at}`, value, offset: at, appendTimeMs: 1 };
  const from = (await state.position('ballast', part))?.next ?? 0n;
  await state.commit('ballast', part, { epoch: 1n, low: 0n, from, next: from + 1n, puts: [put], deletes: [] });
  at++;
}

for (let done = false; !done;) {
  try {
    await fold(state, 'fold', part, log, {
      batch: 10,
      afterCommit: async (next) => {
        print(`at ${next}`);
        await ballast();
      },
    });
    done = true;
  } catch (e) {
    const next = Number((await state.position('fold', part))?.next ?? 0n);
    const whole = (await digestOfState(state, 'fold', 0)) === digestOfFacts(log, next, part);
    print(`fault ${(e as { code?: string }).code} ${whole ? 'whole' : 'torn'}`);
    await sleep(50);
  }
}
await state.close();
print('done');
