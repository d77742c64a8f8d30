import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { freePort } from '../../deploy/local/free-port.js';

/** What the engine was asked to make, as Docker's API has it. */
export interface CreatedContainer {
  readonly Image: string;
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly HostConfig?: { readonly PortBindings?: Readonly<Record<string, readonly { readonly HostPort: string }[]>> };
}

/** What runs instead of a container, on this machine. */
export interface Running {
  /** Lines that `docker logs` shows. */
  readonly log: readonly string[];
  /** What a command inside the container prints; undefined: it fails with exit code 1. */
  exec?(command: readonly string[]): string | undefined;
  stop(): Promise<void> | void;
}

/** Starts what stands for a container. `portOf`: port of this machine behind a port of the container. */
export type StartImage = (made: CreatedContainer, portOf: (inside: number) => number) => Promise<Running>;

export interface FakeDockerOptions {
  /** Path of the unix socket. */
  readonly socket: string;
  /** By image name, with its tag. An image that is not here does not exist: pulling it fails, as offline. */
  readonly images: Readonly<Record<string, StartImage>>;
  /** Images that are there without a pull. @default none */
  readonly local?: readonly string[];
}

interface Container {
  readonly id: string;
  readonly made: CreatedContainer;
  readonly ports: ReadonlyMap<string, number>;
  readonly created: number;
  running: Running | undefined;
}

/** A Docker engine for tests: as much of its HTTP API as testcontainers uses, with processes of this machine behind it. */
export interface FakeDocker {
  /** Requests so far, `POST /containers/create` and so on, without ids. */
  readonly calls: readonly string[];
  /** Containers that were made, in their order. */
  readonly made: readonly CreatedContainer[];
  /** Images of the containers that exist now. */
  left(): string[];
  close(): Promise<void>;
}

type Answer = readonly [status: number, body?: unknown];

export async function startFakeDocker(options: FakeDockerOptions): Promise<FakeDocker> {
  const containers = new Map<string, Container>();
  const images = new Set(options.local ?? []);
  const execs = new Map<string, { readonly output: string | undefined }>();
  const calls: string[] = [];
  const made: CreatedContainer[] = [];

  const none = (what: string): Answer => [404, { message: `No such ${what}` }];
  const create = async (body: CreatedContainer): Promise<Answer> => {
    if (!images.has(body.Image)) return none(`image: ${body.Image}`);
    const ports = new Map<string, number>();
    for (const [port, [binding]] of Object.entries(body.HostConfig?.PortBindings ?? {}))
      ports.set(port, Number(binding?.HostPort ?? 0) || (await freePort()));
    const id = randomBytes(32).toString('hex');
    containers.set(id, { id, made: body, ports, created: Math.floor(Date.now() / 1_000), running: undefined });
    made.push(body);
    return [201, { Id: id, Warnings: [] }];
  };
  const inspect = ({ id, made: { Image, Env, Labels }, ports, running }: Container): Answer => [
    200,
    {
      Id: id,
      Name: `/fake-${id.slice(0, 8)}`,
      Config: { Hostname: id.slice(0, 12), Image, Env: Env ?? [], Labels: Labels ?? {} },
      HostConfig: {
        PortBindings: Object.fromEntries([...ports].map(([p, host]) => [p, [{ HostPort: String(host) }]])),
      },
      State: {
        Status: running ? 'running' : 'exited',
        Running: running !== undefined,
        StartedAt: new Date(0).toISOString(),
      },
      NetworkSettings: {
        Ports: Object.fromEntries([...ports].map(([p, host]) => [p, [{ HostIp: '0.0.0.0', HostPort: String(host) }]])),
        Networks: {},
      },
    },
  ];
  const row = (c: Container): object => ({
    Id: c.id,
    Image: c.made.Image,
    Labels: c.made.Labels ?? {},
    State: c.running ? 'running' : 'exited',
    Created: c.created,
    Ports: [...c.ports].map(([p, host]) => ({ PrivatePort: Number.parseInt(p, 10), PublicPort: host, Type: 'tcp' })),
  });

  const answer = async (method: string, path: string, query: URLSearchParams, body: unknown): Promise<Answer> => {
    const [kind, id = '', act = ''] = path.slice(1).split('/');
    if (path === '/_ping') return [200, 'OK'];
    if (path === '/info') return [200, { OperatingSystem: 'fake', ServerVersion: '28.0.0', IndexServerAddress: '' }];
    if (path === '/version') return [200, { Version: '28.0.0', ApiVersion: '1.48' }];
    if (kind === 'images' && method === 'POST') {
      const image = `${query.get('fromImage')}${query.get('tag') ? `:${query.get('tag')}` : ''}`;
      if (options.images[image] === undefined) return [404, { message: `pull access denied for ${image}` }];
      images.add(image);
      return [200, { status: 'Download complete' }];
    }
    if (kind === 'images') {
      const image = decodeURIComponent(path.slice('/images/'.length, -'/json'.length));
      return images.has(image) ? [200, { Id: image, Config: {} }] : none(`image: ${image}`);
    }
    if (path === '/containers/create') return create(body as CreatedContainer);
    if (path === '/containers/json') return [200, [...containers.values()].filter((c) => c.running).map(row)];
    if (kind === 'exec' && act === 'json') return [200, { ExitCode: execs.get(id)?.output === undefined ? 1 : 0 }];
    const container = containers.get(id);
    if (kind !== 'containers' || container === undefined) return none(`container: ${id}`);
    if (act === 'json') return inspect(container);
    if (act === 'exec') {
      const exec = randomBytes(32).toString('hex');
      execs.set(exec, { output: container.running?.exec?.((body as { Cmd: readonly string[] }).Cmd) });
      return [201, { Id: exec }];
    }
    if (act === 'start') {
      container.running = await options.images[container.made.Image]!(
        container.made,
        (inside) => container.ports.get(`${inside}/tcp`) ?? 0,
      );
      return [204];
    }
    if (act === 'stop') {
      if (container.running === undefined) return [304];
      await container.running.stop();
      container.running = undefined;
      return [204];
    }
    if (method === 'DELETE') {
      await container.running?.stop();
      containers.delete(id);
      return [204];
    }
    return [501, { message: `${method} ${path} is not in the engine of the tests` }];
  };

  const server = createServer((req, res) => void serve(req, res));
  const serve = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url ?? '/', 'http://docker');
    const path = url.pathname.replace(/^\/v1\.\d+/, '');
    calls.push(`${req.method} ${path.replace(/[0-9a-f]{64}/, '{id}')}`);
    const [, kind, id, act] = path.split('/');
    if (kind === 'exec' && act === 'start') {
      // The client keeps its side open, as standard input.
      const output = execs.get(id ?? '')?.output;
      res.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream', connection: 'close' });
      res.end(output === undefined ? frame('no such file\n', 2) : frame(output));
      return;
    }
    const body = await textOf(req);
    if (kind === 'containers' && act === 'logs') {
      res.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' });
      for (const line of containers.get(id ?? '')?.running?.log ?? []) res.write(frame(`${line}\n`));
      // Docker keeps a followed log open while the container runs.
      return;
    }
    const [status, out] = await answer(
      req.method ?? 'GET',
      path,
      url.searchParams,
      body === '' ? undefined : JSON.parse(body),
    ).catch((e: unknown): Answer => [500, { message: String(e) }]);
    const text = typeof out === 'string' ? out : out === undefined ? '' : JSON.stringify(out);
    res.writeHead(status, { 'content-type': typeof out === 'string' ? 'text/plain' : 'application/json' }).end(text);
  };
  await new Promise<void>((done, fail) => server.once('error', fail).listen(options.socket, done));
  return {
    calls,
    made,
    left: () => [...containers.values()].map((c) => c.made.Image),
    close: () => close(server, containers),
  };
}

async function close(server: Server, containers: ReadonlyMap<string, Container>): Promise<void> {
  for (const { running } of containers.values()) await running?.stop();
  const closed = new Promise((done) => server.close(done));
  server.closeAllConnections();
  await closed;
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}

/** Docker's framing of logs without a terminal: kind of stream (1 stdout, 2 stderr), three zeros, length, bytes. */
function frame(text: string, stream: 1 | 2 = 1): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}
