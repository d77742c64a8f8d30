/** Jest reporter: prints the totals as the last line. A suite that does not load counts as failed; under CI=true a skipped test fails the run. */
export default class Totals {
  onRunComplete(_contexts, run) {
    const failed = run.numFailedTests + run.numRuntimeErrorTestSuites;
    const skipped = run.numPendingTests + run.numTodoTests;
    if (process.env.CI === 'true' && skipped > 0)
      this.error = new Error(`${skipped} tests were skipped; CI=true allows none`);
    process.once('exit', () =>
      process.stdout.write(`${run.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`),
    );
  }
  getLastError() {
    return this.error;
  }
}
