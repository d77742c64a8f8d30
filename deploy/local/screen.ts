import type { Language, Text } from '#faults';

/** Lines of the launcher: on a terminal a step is completed in place, piped it is a plain line. All on stderr; stdout belongs to the day and its verdict. */
export interface Screen {
  /** A text in the language of the terminal. */
  readonly say: (text: Text) => string;
  line(text: string): void;
  /** Call the answer when the step ends. */
  step(text: string): (ok?: boolean, extra?: string) => void;
  /** The same for what ends in a line of its own: on a terminal nothing is left of it. The answer may be called again. */
  pending(text: string): () => void;
}

/** What a screen is drawn on. */
export interface Out {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export function openScreen(lang: Language, out: Out = process.stderr): Screen {
  const tty = out.isTTY === true;
  const line = (text: string): void => {
    out.write(`${text}\n`);
  };
  /** Draws the line once a second on a terminal, once in a pipe; the answer stops that. */
  const running = (text: string, began: number): (() => void) => {
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
      const stop = running(text, began);
      return (ok = true, extra = '') => {
        stop();
        const seconds = ((Date.now() - began) / 1000).toFixed(1);
        out.write(`${tty ? '\r\x1b[K' : ''}${ok ? '✔' : '✗'} ${text}${extra ? ` · ${extra}` : ''} (${seconds} s)\n`);
      };
    },
    pending(text) {
      let stop: (() => void) | undefined = running(text, Date.now());
      return () => {
        if (stop && tty) out.write('\r\x1b[K');
        stop?.();
        stop = undefined;
      };
    },
  };
}
