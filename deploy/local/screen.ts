/** Lines of the launcher: on a terminal a step is completed in place, piped it is a plain line. All on stderr; stdout belongs to the day and its verdict. */
export interface Screen {
  readonly say: (id: string, en: string) => string;
  line(text: string): void;
  /** Call the answer when the step ends. */
  step(text: string): (ok?: boolean, extra?: string) => void;
}

export function openScreen(lang: 'id' | 'en'): Screen {
  const tty = process.stderr.isTTY;
  const line = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  return {
    say: (id, en) => (lang === 'en' ? en : id),
    line,
    step(text) {
      const began = Date.now();
      let timer: NodeJS.Timeout | undefined;
      if (tty) {
        const draw = (): void => {
          process.stderr.write(`\r\x1b[K… ${text} ${Math.round((Date.now() - began) / 1000)} s`);
        };
        draw();
        timer = setInterval(draw, 1000);
      } else line(`… ${text}`);
      return (ok = true, extra = '') => {
        clearInterval(timer);
        const seconds = ((Date.now() - began) / 1000).toFixed(1);
        process.stderr.write(
          `${tty ? '\r\x1b[K' : ''}${ok ? '✔' : '✗'} ${text}${extra ? ` · ${extra}` : ''} (${seconds} s)\n`,
        );
      };
    },
  };
}
