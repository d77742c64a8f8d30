import { connect, type NetConnectOpts } from 'node:net';
import { withDeadline } from '#concurrency';

/** Connects, sends a request, and returns the first bytes of the answer as text; undefined when there is no answer within `ms`. */
export async function firstAnswer(target: NetConnectOpts, request: string, ms: number): Promise<string | undefined> {
  const socket = connect(target);
  const answer = new Promise<string | undefined>((done) => {
    socket.once('error', () => done(undefined));
    socket.once('data', (data) => done(data.toString()));
  });
  socket.write(request);
  try {
    return await withDeadline(answer, ms, () => undefined);
  } finally {
    socket.destroy();
  }
}
