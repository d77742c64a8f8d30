import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly res: ServerResponse;
}

/** Returns the JSON answer, or undefined when the script has written to the response itself or has cut the connection. */
export type Script = (
  req: ScriptedRequest,
) => { status: number; body?: unknown; headers?: Record<string, string> } | undefined;

/** A problem document of the hub, also of one event of a list, names its code in `type`. One with a `type` in the script, also undefined, keeps it. */
function typed(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const named = 'code' in body && !('type' in body) ? { type: `/docs/errors#${String(body.code)}`, ...body } : body;
  if (!('results' in named) || !Array.isArray(named.results)) return named;
  const results = named.results.map((item: object) =>
    'problem' in item ? { ...item, problem: typed(item.problem) } : item,
  );
  return { ...named, results };
}

/** An HTTP server that gives the answers of a script, and keeps the requests. */
export async function scriptedHub(
  script: Script,
): Promise<{ url: string; requests: ScriptedRequest[]; close(): Promise<void> }> {
  const requests: ScriptedRequest[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('error', () => undefined);
    req.on('data', (c: Buffer) => chunks.push(c));
    req.on('end', () => {
      const url = new URL(req.url ?? '/', 'http://hub');
      const asked: ScriptedRequest = {
        method: req.method ?? 'GET',
        path: decodeURIComponent(url.pathname),
        query: url.searchParams,
        headers: req.headers,
        body: Buffer.concat(chunks).toString(),
        res,
      };
      requests.push(asked);
      const answer = script(asked);
      if (answer === undefined) return;
      const type = answer.status < 400 ? 'application/json' : 'application/problem+json';
      res.writeHead(answer.status, { 'content-type': type, ...answer.headers });
      res.end(answer.body === undefined ? '' : JSON.stringify(typed(answer.body)));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
