import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Tells hub processes at which step of a courier they are to be killed, through a file (told-hub.mjs). */
export class KillSteps {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** Begins to count steps, and kills a process at one of them: `<topic> <number> before|after`. */
  arm(step: string): void {
    rmSync(`${this.file}.steps`, { force: true });
    writeFileSync(this.file, step);
  }

  /** Steps are counted no longer, and none kills. */
  disarm(): void {
    rmSync(this.file, { force: true });
  }

  /** What was counted since arm(). */
  get counted(): readonly string[] {
    const file = `${this.file}.steps`;
    return existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
      : [];
  }
}
