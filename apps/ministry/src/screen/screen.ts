import { draw, plain, type Frame, type Lang } from './words.js';

export interface Out {
  write(text: string): unknown;
  readonly columns?: number;
  readonly isTTY?: boolean;
}

/**
 * Progress of the day: on a terminal a block of four lines, redrawn in place five times a second; in a pipe one line every five seconds, and one for each story.
 */
export class Screen {
  readonly #out: Out;
  readonly #lang: Lang;
  readonly #frame: () => Frame;
  readonly #live: boolean;
  #timer: NodeJS.Timeout | undefined;
  #drawn = 0;
  /** Stories that are in the pipe already. */
  #told = 0;

  constructor(out: Out, lang: Lang, plainOnly: boolean, frame: () => Frame) {
    this.#out = out;
    this.#lang = lang;
    this.#frame = frame;
    this.#live = out.isTTY === true && !plainOnly;
  }

  start(): void {
    if (this.#live) this.#out.write('\x1b[?25l');
    this.#timer = setInterval(() => this.show(), this.#live ? 200 : 5000);
    this.show();
  }

  show(): void {
    const frame = this.#frame();
    if (!this.#live) {
      for (const { label, text } of frame.stories.slice(this.#told)) this.#out.write(`${label} WIB  ● ${text}\n`);
      this.#told = frame.stories.length;
      this.#out.write(`${plain(frame, this.#lang)}\n`);
      return;
    }
    const lines = draw(frame, this.#lang, this.#out.columns ?? 100);
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#out.write(up + lines.map((l) => `\x1b[2K${l}\n`).join(''));
    this.#drawn = lines.length;
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.show();
    if (this.#live) this.#out.write('\x1b[?25h');
  }
}
