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

/** Headers with a list for what came twice, which `headers` of Node.js joins to one text or leaves out. HTTP/2 of Node.js has only those. */
export function singly({
  headers: joined,
  headersDistinct: headers,
}: {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly headersDistinct?: NodeJS.Dict<string[]>;
}): NodeJS.Dict<string | string[]> {
  if (headers === undefined) return joined;
  const out = Object.create(null) as NodeJS.Dict<string | string[]>;
  for (const name in headers) out[name] = headers[name]!.length === 1 ? headers[name]![0]! : headers[name]!;
  return out;
}
