#!/usr/bin/env node
// simpul, as an installed package. This file must be readable for any Node.js that knows modules, so that an old one gets the line below.
const needed = [24, 15];
const here = process.versions.node.split('.').map(Number);
if (here[0] < needed[0] || (here[0] === needed[0] && here[1] < needed[1])) {
  const { SIMPUL_LANG, LC_ALL, LANG } = process.env;
  const english = /^en/i.test(SIMPUL_LANG || LC_ALL || LANG || '');
  const version = needed.join('.');
  process.stderr.write(
    english
      ? `✗ Node.js ${version} or newer is needed (here ${process.version}). Install it from https://nodejs.org\n`
      : `✗ Perlu Node.js ${version} atau lebih baru (di sini ${process.version}). Pasang dari https://nodejs.org\n`,
  );
  process.exit(1);
}
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') process.stderr.write(`${warning.name}: ${warning.message}\n`);
});
await import('../dist/apps/cli/src/main.js');
