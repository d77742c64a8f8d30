import type { Readable } from 'node:stream';

/** The bytes of a stream. `too_large`: there are more, and the rest is let go by, so that the sender gets its answer. `parsed`: somebody has read it before. */
export function bytesOf(stream: Readable, maxBytes: number): Promise<Uint8Array | 'too_large' | 'parsed'> {
  if (stream.readableEnded || stream.readableDidRead) return Promise.resolve('parsed');
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const take = (chunk: Uint8Array): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      stream.off('data', take);
      stream.resume();
      resolve('too_large');
    };
    stream.on('data', take);
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
    stream.on('close', () => reject(new Error('the request was broken off')));
  });
}

/** Node.js joins headers that came twice: what came twice shall be seen as such. */
export function singly(headers: NodeJS.Dict<string[]>): Record<string, string | readonly string[]> {
  const out = Object.create(null) as Record<string, string | readonly string[]>;
  for (const name in headers) out[name] = headers[name]!.length === 1 ? headers[name]![0]! : headers[name]!;
  return out;
}
