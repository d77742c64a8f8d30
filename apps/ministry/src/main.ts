import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Conductor } from './conductor.js';
import { MinistryModule } from './ministry.module.js';
import { ministryKeys, seedUnits } from './keys.js';
import { parseOptions, type MinistryOptions } from './options.js';
import { Screen } from './screen/screen.js';
import { buildWorld } from './world.js';

async function play(options: MinistryOptions): Promise<number> {
  // With --json stdout carries one line for a program, so the screen goes to stderr.
  const out = options.json ? process.stderr : process.stdout;
  const world = await buildWorld(options);
  const app = await NestFactory.createApplicationContext(MinistryModule.forDay(world, options, out), {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  const conductor = app.get(Conductor);
  const screen = app.get(Screen);
  const stop = (): void => conductor.stop();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  screen.start();
  // Progress (0 to 1) for a launcher that started this process with an IPC channel.
  const progress = setInterval(() => process.connected && process.send?.({ progress: world.day.tally.progress }), 100);
  const end = await conductor.play();
  clearInterval(progress);
  screen.stop();
  world.saveSequences();
  await app.close();
  await world.close();
  for (const text of new Set(world.faults)) process.stderr.write(`✗ ${text}\n`);
  if (!end.complete) process.stderr.write(`✗ ${end.accepted} / ${end.expected}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(end)}\n`);
  return end.complete && world.faults.length === 0 ? 0 : 1;
}

const parsed = parseOptions(process.argv.slice(2));
switch (parsed.kind) {
  case 'wrong':
    process.stderr.write(`${parsed.reason}\n`);
    process.exitCode = 2;
    break;
  case 'keys':
    process.stdout.write(`${JSON.stringify(ministryKeys(seedUnits()))}\n`);
    break;
  case 'play':
    try {
      process.exitCode = await play(parsed.options);
    } catch (e) {
      process.stderr.write(`✗ ${e instanceof Error ? e.message : String(e)}\n`);
      process.exitCode = 1;
    }
    if (process.connected) process.disconnect();
}
