import { digestOfFacts, digestOfState, facts, fold } from '../state/conformance/fold.js';
import { openEmbeddedState } from './index.js';

// A process that folds until it is killed or done. It says each offset that was answered, and what it finds when the store fails.
const [dir = '', seed = '1', length = '0', weight = '0'] = process.argv.slice(2);
const part = { stream: 'imigrasi.paspor', partition: 0 };
const log = facts(Number(seed), Number(length));
const state = await openEmbeddedState({ dir });
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Something large beside the fold, so that a limit on the file is met soon. */
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
        say(`at ${next}`);
        await ballast();
      },
    });
    done = true;
  } catch (e) {
    const next = Number((await state.position('fold', part))?.next ?? 0n);
    const whole = (await digestOfState(state, 'fold', 0)) === digestOfFacts(log, next, part);
    say(`fault ${(e as { code?: string }).code} ${whole ? 'whole' : 'torn'}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
await state.close();
say('done');
