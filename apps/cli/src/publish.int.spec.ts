import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';

const MAIN = new URL('../../../dist/apps/cli/src/main.js', import.meta.url).pathname;

describe('simpul publish', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-cli-'));
  const file = join(dir, 'events.json');
  let hub: Awaited<ReturnType<typeof scriptedHub>>;
  const receipt = { id: 'E-1', type: 'a.b.c', position: 'a.b/0/1', duplicate: false };
  const problem = { code: 'record_too_large', title: 'Record too large', status: 413 };

  beforeAll(async () => {
    writeFileSync(file, '[{},{}]');
    hub = await scriptedHub(() => ({
      status: 422,
      body: {
        code: 'partly_recorded',
        title: 'Some events were recorded, others are refused',
        errors: [{ index: 1, pointer: '', reason: 'too large for the event log', code: 'record_too_large' }],
        results: [
          { status: 201, receipt },
          { status: 413, problem },
        ],
      },
    }));
  });
  afterAll(async () => {
    await hub.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('shows the receipts of a list of which the log refused an event, names the refused one, and ends with 5', async () => {
    const args = [MAIN, '--url', hub.url, '--key', 'k', '--lang', 'en', '-o', 'table', 'publish', file];
    const ended = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) =>
      execFile(process.execPath, args, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr })),
    );
    expect(ended.stdout).toContain('a.b/0/1');
    expect(ended.stderr).toContain('#1 : too large for the event log');
    expect(ended.code).toBe(5);
  });
});
