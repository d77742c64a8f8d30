// Breaks a hub on purpose, so that a test sees the checker find it. Only test/e2e/checker.e2e.spec.ts preloads this file into a hub process
// (NODE_OPTIONS=--import).
const { Appender } = await import(new URL('../../dist/libs/log/index.js', import.meta.url).href);

switch (process.env.BREAK_HUB) {
  case 'drop': {
    // One append in five is acknowledged and never written.
    const append = Appender.prototype.append;
    let n = 0;
    Appender.prototype.append = function (topic, ...rest) {
      if (topic !== 'pas.hunian' || ++n % 5 !== 0) return append.call(this, topic, ...rest);
      return Promise.resolve({ kind: 'accepted', base: 100_000n, appendTimeMs: Date.now() });
    };
    break;
  }
  case 'count': {
    // One report is counted twice.
    const stringify = JSON.stringify;
    let done = false;
    JSON.stringify = (value, ...rest) => {
      if (!done && value?.v?.jumlahUnit === 1) {
        done = true;
        value.v.jumlahUnit = 2;
      }
      return stringify(value, ...rest);
    };
  }
}
