import { afterAll, afterEach, beforeAll, beforeEach, describe } from '@jest/globals';
import type { Harness } from '#log/conformance';
import { fencedCases } from './fenced.js';
import { journalCases } from './journal.js';
import { TableBench } from './kit.js';
import { ownedCases } from './owned.js';

/**
 * The promises of tables as Jest cases, the same on every adapter of the log, with SIGSTOP.
 * `open` is called once, before the first case; its harness serves the whole suite.
 */
export function describeTables(name: string, open: () => Promise<Harness>): void {
  describe(`tables on ${name}`, () => {
    let made: TableBench | undefined;
    const bench = (): TableBench => {
      if (!made) throw new Error('the log did not open');
      return made;
    };
    beforeAll(async () => {
      const harness = await open();
      made = new TableBench(harness, await harness.open());
    }, 120_000);
    afterAll(async () => {
      await made?.log.close();
      await made?.harness.close();
    }, 120_000);
    beforeEach(() => {
      bench().topic = bench().harness.newTopic();
    });
    afterEach(() => bench().close());

    fencedCases(bench);
    ownedCases(bench);
    journalCases(bench);
  });
}
