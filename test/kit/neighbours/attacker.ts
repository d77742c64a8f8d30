import { constants, setPriority } from 'node:os';
import { ATTACKS, type Attacker } from './attacks.js';

/**
 * One attack in a process of its own, until its standard input ends: then it prints what came of it as JSON. It has the lowest priority: an attacker would be
 * on another machine, and would take no processor from the hub. Arguments: name of the attack and the attacker as JSON; or `control` and how much of a
 * processor it uses, without a request.
 */
const [name, given] = process.argv.slice(2);
setPriority(constants.priority.PRIORITY_LOW);
const over = new AbortController();
process.stdin.resume().once('end', () => over.abort());
const began = process.cpuUsage();
const since = performance.now();

async function control(part: number): Promise<Record<string, number>> {
  while (!over.signal.aborted) {
    const until = performance.now() + 4 * part;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 4 * (1 - part)));
  }
  return {};
}

const came =
  name === 'control'
    ? await control(Math.min(0.99, Number(given)))
    : await ATTACKS[name!]!(JSON.parse(given!) as Attacker, over.signal).catch(() => ({}));
const { user, system } = process.cpuUsage(began);
const cpu = (user + system) / 1_000 / (performance.now() - since);
process.stdout.write(JSON.stringify({ came, cpu }), () => process.exit(0));
