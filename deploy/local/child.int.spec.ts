import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { MEMORY_ENVIRONMENT } from './child.js';

/** Frees 300 MiB of buffers that lie between small ones which stay; prints by how much the process has grown, MiB. */
const SCRIPT = `
  const mib = 1024 * 1024;
  const rss = () => Math.round(process.memoryUsage.rss() / mib);
  const fill = (bytes) => Buffer.allocUnsafeSlow(bytes).fill(1);
  const rest = async () => { for (let n = 0; n < 3; n++) { gc(); await new Promise((resolve) => setImmediate(resolve)); } };
  fill(8 * mib);
  await rest();
  const before = rss();
  const small = [];
  let large = [];
  for (let n = 0; n < 300; n++) { large.push(fill(mib)); small.push(fill(1024)); }
  const most = rss() - before;
  large = undefined;
  await rest();
  console.log(JSON.stringify({ most, left: rss() - before, small: small.length }));
`;

it('gives the memory of large buffers back, also when a larger one was freed before', async () => {
  const env = { PATH: process.env['PATH'] ?? '', ...MEMORY_ENVIRONMENT };
  const args = ['--expose-gc', '--input-type=module', '--eval', SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  const { most, left } = JSON.parse(stdout) as { most: number; left: number };
  expect(most).toBeGreaterThan(250);
  expect(left).toBeLessThan(100);
});
