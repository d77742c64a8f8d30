import { describe, expect, it } from '@jest/globals';
import { openScreen } from './screen.js';
import { texts } from './texts.js';

const drawnOn = (isTTY: boolean, use: (screen: ReturnType<typeof openScreen>) => void): string => {
  let text = '';
  use(openScreen('id', { write: (t) => (text += t), isTTY }));
  return text.replaceAll('\r\x1b[K', '<');
};

describe('a Screen of the launcher', () => {
  it('shows a pending step in place on a terminal until its result has a line of its own, and as one plain line in a pipe', () => {
    const pending = (screen: ReturnType<typeof openScreen>): void => {
      const shown = screen.pending(screen.say(texts.checking()));
      shown();
      screen.line('✔ putusan');
      shown();
    };
    expect(drawnOn(true, pending)).toBe('<… memeriksa ulang dari log 0 s<✔ putusan\n');
    expect(drawnOn(false, pending)).toBe('… memeriksa ulang dari log\n✔ putusan\n');
  });

  it('completes a step in place on a terminal, and with a second line in a pipe', () => {
    const step = (screen: ReturnType<typeof openScreen>): void => screen.step('membangun')(false, 'lihat log');
    expect(drawnOn(true, step)).toMatch(/^<… membangun 0 s<✗ membangun · lihat log \(\d+\.\d s\)\n$/);
    expect(drawnOn(false, step)).toMatch(/^… membangun\n✗ membangun · lihat log \(\d+\.\d s\)\n$/);
  });
});
