import type { Language, Text } from '#faults';

/** Progress lines of the launcher, on stderr; stdout is for the day and its verdict. On a terminal a running step is redrawn in place, in a pipe it is a plain line. */
export interface Screen {
  /** A text in the language of the terminal. */
  readonly say: (text: Text) => string;
  line(text: string): void;
  /** Shows a running step with its time. Call the returned function when the step ends. */
  step(text: string): (ok?: boolean, extra?: string) => void;
  /** Shows a running step that leaves no line on a terminal, because its result has a line of its own. The returned function ends it; it is idempotent. */
  pending(text: string): () => void;
}

/** Where a screen writes to. */
export interface Out {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export function openScreen(lang: Language, out: Out = process.stderr): Screen {
  const tty = out.isTTY === true;
  const line = (text: string): void => {
    out.write(`${text}\n`);
  };
  /** Draws the line once a second on a terminal, and once in a pipe. The returned function stops it. */
  const showRunning = (text: string, began: number): (() => void) => {
    if (!tty) {
      line(`… ${text}`);
      return () => undefined;
    }
    const draw = (): void => {
      out.write(`\r\x1b[K… ${text} ${Math.round((Date.now() - began) / 1000)} s`);
    };
    draw();
    const timer = setInterval(draw, 1000);
    return () => clearInterval(timer);
  };
  return {
    say: (text) => text.in(lang),
    line,
    step(text) {
      const began = Date.now();
      const stop = showRunning(text, began);
      return (ok = true, extra = '') => {
        stop();
        const seconds = ((Date.now() - began) / 1000).toFixed(1);
        out.write(`${tty ? '\r\x1b[K' : ''}${ok ? '✔' : '✗'} ${text}${extra ? ` · ${extra}` : ''} (${seconds} s)\n`);
      };
    },
    pending(text) {
      let stop: (() => void) | undefined = showRunning(text, Date.now());
      return () => {
        if (stop && tty) out.write('\r\x1b[K');
        stop?.();
        stop = undefined;
      };
    },
  };
}
