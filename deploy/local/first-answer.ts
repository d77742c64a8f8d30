import { connect, type NetConnectOpts } from 'node:net';

/** Connects, sends a request, and returns the first bytes of the answer as text; undefined when there is no answer within `ms`. */
export function firstAnswer(target: NetConnectOpts, request: string, ms: number): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect(target);
    const end = (answer?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      done(answer);
    };
    const timer = setTimeout(() => end(), ms);
    socket.once('error', () => end());
    socket.once('data', (data) => end(data.toString()));
    socket.write(request);
  });
}
