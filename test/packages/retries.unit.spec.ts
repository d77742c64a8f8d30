import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

/** A wait before a further try: a time by a name of a retry, that does not go through jittered(). */
const IN_STEP = /\b(?:pause|hold|wait)\(\s*[^()]*\b(?:\w*(?:RETRY|REJOIN|RESEND)_MS|retryMs)\b/g;

describe('waits between tries', () => {
  it('have jitter in every room, so that processes that failed together do not come back at the same moment', () => {
    const files = globSync('libs/**/*.ts', { exclude: (name) => /\.spec\.ts$|fixture|conformance/.test(name) });
    expect(files.length).toBeGreaterThan(200);
    const found = files.flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      return [...text.matchAll(IN_STEP)].map(([line]) => `${file}: ${line}`);
    });
    expect(found).toEqual([]);
  });
});
