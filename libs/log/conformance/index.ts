import { afterAll, beforeAll, describe } from '@jest/globals';
import { appendCases } from './appends.js';
import { groupCases } from './groups.js';
import type { Bench, Harness, SuiteOptions } from './harness.js';
import { readCases } from './reads.js';
import { refusalCases } from './refusals.js';
import { topicCases } from './topics.js';
import { crashCases, writerCases } from './writers.js';

export { Child, readAll, text, until } from './kit.js';
export type { ChildLog, Harness, SuiteOptions } from './harness.js';

/**
 * The promises of the EventLog port as Jest cases, the same for every adapter.
 * `open` is called once, before the first case; its harness serves the whole suite.
 */
export function describeEventLog(name: string, open: () => Promise<Harness>, options: SuiteOptions = {}): void {
  describe(`${name} keeps the promises of EventLog`, () => {
    let made: Bench | undefined;
    const bench = (): Bench => {
      if (!made) throw new Error('the log did not open');
      return made;
    };
    beforeAll(async () => {
      const harness = await open();
      made = { harness, log: await harness.open() };
    }, 120_000);
    afterAll(async () => {
      await made?.log.close();
      await made?.harness.close();
    }, 120_000);

    topicCases(bench);
    appendCases(bench);
    refusalCases(bench);
    readCases(bench);
    groupCases(bench);
    writerCases(bench);
    crashCases(bench, options);
  });
}
