import { afterAll, beforeAll, describe } from '@jest/globals';
import { commitCases } from './commit-cases.js';
import { feedCases } from './feed-cases.js';
import { firstsCases } from './firsts-cases.js';
import type { StateHarness } from './harness.js';
import { lossCases } from './loss-cases.js';
import { readingCases } from './reading-cases.js';
import { resetCases } from './reset-cases.js';

export { digestOfFacts, digestOfState, facts, fold, type Fact } from './fold.js';
export { change, DAY, del, newView, put, STREAM, T0, until, type StateHarness } from './harness.js';

/** Runs the promises of the State port against one adapter. Each case uses its own views; the cases that empty the store run last. */
export function describeState(name: string, open: () => Promise<StateHarness>): void {
  describe(`State port: ${name}`, () => {
    let harness: StateHarness;
    const h = (): StateHarness => harness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());
    describe('commit()', () => commitCases(h));
    describe('reading', () => readingCases(h));
    describe('change feed', () => feedCases(h));
    describe('duplicate index', () => firstsCases(h));
    describe('another log', () => resetCases(h));
    describe('restart and loss', () => lossCases(h));
  });
}
