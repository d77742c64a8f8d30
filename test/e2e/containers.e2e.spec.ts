import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { SIMPUL_IMAGE, SimpulContainer } from '#containers';
import { connect, createPublisher, createReader, type NewEvent } from '#sdk';
import { startHub } from '../../deploy/local/child.js';
import { KAFKA_IMAGE, provisionKafka } from '../../deploy/local/provision-kafka.js';
import { provisionRedis, REDIS_IMAGE } from '../../deploy/local/redis.js';
import { startFakeDocker, type FakeDocker, type StartImage } from '../kit/fake-docker.js';
import { CASE_TYPE, caseEvent, UNIT } from '../bench/case-event.js';

let dir: string;
let docker: FakeDocker;
const before = { ...process.env };

/** Containers of the engine that end when the process of the tests ends: it says yes to everything. */
const reaper: StartImage = (_made, portOf) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => socket.write('ACK\n')).on('error', () => {});
  });
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const running = { log: ['Started'], stop };
  return new Promise((done) => server.listen(portOf(8080), '127.0.0.1', () => done(running)));
};

/** The built hub, with the environment of the container, in a folder of this machine. */
const hubImage: StartImage = async (made, portOf) => {
  const given = Object.fromEntries((made.Env ?? []).map((line) => line.split(/=(.*)/s).slice(0, 2)));
  const data = mkdtempSync(join(dir, 'hub-'));
  const env = { ...given, SIMPUL_DATA: data, SIMPUL_HOST: '127.0.0.1', SIMPUL_PORT: String(portOf(8080)) };
  const hub = await startHub('apps/hub/src/main.js', env, join(data, 'hub.log'));
  if ('kind' in hub) throw new Error(hub.detail);
  return {
    log: [],
    exec: ([command, file]) =>
      command === 'cat' && file === '/data/admin.key' ? readFileSync(join(data, 'admin.key'), 'utf8') : undefined,
    async stop() {
      hub.child.kill('SIGTERM');
      await hub.ended;
    },
  };
};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-docker-'));
  docker = await startFakeDocker({
    socket: join(dir, 'docker.sock'),
    images: {
      [SIMPUL_IMAGE]: hubImage,
      [KAFKA_IMAGE]: () => Promise.resolve({ log: ['[KafkaRaftServer nodeId=1] Kafka Server started'], stop() {} }),
      [REDIS_IMAGE]: () => Promise.resolve({ log: ['* Ready to accept connections tcp'], stop() {} }),
      'testcontainers/ryuk:0.14.0': reaper,
    },
  });
  process.env['DOCKER_HOST'] = `unix://${join(dir, 'docker.sock')}`;
  process.env['TESTCONTAINERS_HOST_OVERRIDE'] = '127.0.0.1';
});
afterAll(async () => {
  await docker.close();
  for (const name of ['DOCKER_HOST', 'TESTCONTAINERS_HOST_OVERRIDE'])
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  rmSync(dir, { recursive: true, force: true });
});

it('a hub in a container takes events of a key that was made for it, and its container is gone after stop()', async () => {
  const hub = await new SimpulContainer().start();
  const key = await hub.createKey({ unit: UNIT, system: 'uji', roles: ['publisher', 'reader'] });
  const connection = connect({ url: hub.getUrl() });
  const publisher = createPublisher({ connection, key, owner: UNIT, system: 'uji' });
  const sent = await publisher.publish({ type: CASE_TYPE, data: (JSON.parse(caseEvent('uji', 1)) as NewEvent).data });
  const receipt = await createReader({ connection, key }).receipt(sent.source, sent.id);
  expect(receipt?.position).toBe(sent.position);
  await publisher.close();
  await connection.close();
  await expect(hub.createKey({ unit: 'SU99999', system: 'uji', roles: ['reader'] })).rejects.toThrow(/no key: 4\d\d /);
  await hub.stop();
  expect(docker.left()).not.toContain(SIMPUL_IMAGE);
  await expect(fetch(hub.getUrl())).rejects.toThrow();
});

it('a hub in a container can be given a Kafka and a Redis', async () => {
  const container = new SimpulContainer('not-there:1').withKafka({
    brokers: 'kafka:9092',
    redis: 'redis://redis',
    prefix: 'uji.',
  });
  await expect(container.start()).rejects.toThrow(/pull access denied/);
  expect((container as unknown as { environment: object }).environment).toMatchObject({
    SIMPUL_ENGINE: 'kafka',
    SIMPUL_KAFKA: 'kafka:9092',
    SIMPUL_REDIS: 'redis://redis',
    SIMPUL_KAFKA_PREFIX: 'uji.',
  });
});

it('Kafka and Redis of the tests come from containers of pinned images where a Docker engine answers, and go with stop()', async () => {
  const [kafka, redis] = await Promise.all([
    provisionKafka({ dir: join(dir, 'kafka'), cache: join(dir, 'cache') }),
    provisionRedis({ dir: join(dir, 'redis'), cache: join(dir, 'cache') }),
  ]);
  expect([kafka.from, redis.from]).toEqual(['docker', 'docker']);
  const made = docker.made.find(({ Image }) => Image === KAFKA_IMAGE);
  // Clients go where the broker says that it is.
  expect(made?.Env).toContain(`KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://${kafka.bootstrap}`);
  expect(made?.HostConfig?.PortBindings).toEqual({ '9092/tcp': [{ HostPort: kafka.bootstrap.split(':')[1] }] });
  for (const image of [KAFKA_IMAGE, REDIS_IMAGE, SIMPUL_IMAGE]) expect(image).toMatch(/^[a-z/]+:\d+\.\d+\.\d+$/);
  expect(docker.left()).toEqual(expect.arrayContaining([KAFKA_IMAGE, REDIS_IMAGE]));
  await Promise.all([kafka.stop(), redis.stop()]);
  expect(docker.left().filter((image) => image === KAFKA_IMAGE || image === REDIS_IMAGE)).toEqual([]);
});
