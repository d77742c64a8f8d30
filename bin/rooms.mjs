/**
 * Which room may import which: the one table behind the lint rules in .oxlintrc.json and the lines "May import" in the READMEs (`npm run gen`
 * writes them, `npm test` checks that they are current). `rooms`: other rooms. `clients`: client libraries of npm that this room may import.
 */
const CLIENTS = [
  'kafkajs',
  '@platformatic/kafka',
  'ioredis',
  'avsc',
  'fastify',
  'undici',
  'pino',
  'prom-client',
  'zod',
  'commander',
  'eventsource-parser',
  '@nestjs/*',
  'rxjs',
  'testcontainers',
];
export const ROOMS = {
  concurrency: { rooms: [], clients: [] },
  faults: { rooms: [], clients: [] },
  event: { rooms: [], clients: [] },
  limits: { rooms: ['faults'], clients: [] },
  networks: { rooms: ['faults'], clients: [] },
  avro: { rooms: ['faults', 'event'], clients: ['avsc'] },
  log: { rooms: ['concurrency', 'event'], clients: [] },
  state: { rooms: ['faults'], clients: [] },
  units: { rooms: ['concurrency', 'faults', 'event', 'log', 'table'], clients: [] },
  table: { rooms: ['concurrency', 'faults', 'log'], clients: [] },
  'log-embedded': { rooms: ['concurrency', 'faults', 'event', 'log'], clients: [] },
  'kafka-client': { rooms: [], clients: ['kafkajs'] },
  'kafka-records': { rooms: ['faults', 'event', 'log'], clients: [] },
  'log-kafka': {
    rooms: ['concurrency', 'faults', 'event', 'kafka-client', 'kafka-records', 'log', 'settings'],
    clients: ['kafkajs', '@platformatic/kafka', '@node-rs/crc32'],
  },
  'kafka-source': {
    rooms: [
      'concurrency',
      'faults',
      'event',
      'log',
      'table',
      'registry',
      'duplicates',
      'sdk',
      'consuming',
      'kafka-client',
      'kafka-records',
    ],
    clients: ['kafkajs'],
  },
  'state-embedded': { rooms: ['faults', 'event', 'state'], clients: [] },
  'state-redis': { rooms: ['concurrency', 'faults', 'event', 'state'], clients: ['ioredis'] },
  snapshots: { rooms: ['concurrency', 'faults', 'log', 'state'], clients: [] },
  'dead-letters': { rooms: ['concurrency', 'faults', 'log', 'table'], clients: [] },
  registry: { rooms: ['faults', 'event', 'avro', 'log', 'table'], clients: [] },
  access: { rooms: ['faults', 'event', 'avro', 'log', 'table', 'units', 'registry'], clients: [] },
  duplicates: { rooms: ['concurrency', 'faults', 'event', 'log', 'state', 'table', 'registry'], clients: [] },
  publishing: {
    rooms: [
      'concurrency',
      'faults',
      'limits',
      'event',
      'avro',
      'log',
      'state',
      'table',
      'units',
      'registry',
      'access',
      'duplicates',
    ],
    clients: [],
  },
  projection: {
    rooms: [
      'concurrency',
      'faults',
      'limits',
      'event',
      'avro',
      'log',
      'state',
      'table',
      'snapshots',
      'units',
      'registry',
      'access',
      'duplicates',
    ],
    clients: ['zod'],
  },
  reading: {
    rooms: ['concurrency', 'faults', 'limits', 'event', 'avro', 'log', 'units', 'registry', 'access', 'duplicates'],
    clients: [],
  },
  subscriptions: {
    rooms: ['faults', 'limits', 'event', 'log', 'units', 'registry', 'access', 'reading', 'standard-webhooks'],
    clients: [],
  },
  'standard-webhooks': { rooms: [], clients: [] },
  webhooks: {
    rooms: ['faults', 'event', 'networks', 'reading', 'standard-webhooks'],
    clients: ['undici'],
  },
  delivery: {
    rooms: [
      'concurrency',
      'faults',
      'limits',
      'event',
      'log',
      'table',
      'registry',
      'access',
      'reading',
      'units',
      'webhooks',
      'subscriptions',
    ],
    clients: [],
  },
  'subscription-doors': {
    rooms: ['core', 'delivery', 'faults', 'http', 'reading', 'subscriptions', 'webhooks'],
    clients: ['@nestjs/*'],
  },
  courier: {
    rooms: ['core', 'delivery', 'faults', 'subscription-doors', 'subscriptions', 'telemetry', 'webhooks'],
    clients: ['@nestjs/*'],
  },
  settings: { rooms: ['faults', 'limits', 'networks'], clients: ['zod'] },
  folder: { rooms: ['faults'], clients: [] },
  backup: { rooms: ['faults', 'folder', 'log-embedded'], clients: [] },
  telemetry: { rooms: [], clients: ['pino', 'prom-client'] },
  sdk: { rooms: ['concurrency', 'faults', 'event', 'avro'], clients: ['undici', 'eventsource-parser'] },
  codegen: { rooms: ['faults', 'event', 'avro'], clients: [] },
  'event-types': { rooms: ['sdk'], clients: [] },
  consuming: { rooms: ['concurrency', 'event', 'sdk'], clients: [] },
  receiving: { rooms: ['consuming', 'event', 'sdk', 'standard-webhooks'], clients: [] },
  outbox: { rooms: ['concurrency', 'event', 'sdk'], clients: [] },
  'nest-kit': { rooms: ['consuming', 'receiving', 'sdk'], clients: ['@nestjs/*', 'rxjs'] },
  testing: { rooms: ['concurrency', 'sdk'], clients: [] },
  'nest-testing': {
    rooms: ['concurrency', 'consuming', 'event', 'nest-kit', 'sdk', 'testing'],
    clients: ['@nestjs/*'],
  },
  containers: { rooms: [], clients: ['testcontainers'] },
  http: {
    rooms: [
      'dead-letters',
      'concurrency',
      'faults',
      'limits',
      'event',
      'avro',
      'log',
      'units',
      'registry',
      'access',
      'publishing',
      'projection',
      'reading',
      'subscriptions',
      'delivery',
    ],
    clients: ['@nestjs/*', 'fastify', 'undici', 'zod'],
  },
  core: {
    rooms: [
      'concurrency',
      'faults',
      'limits',
      'log',
      'log-embedded',
      'log-kafka',
      'state',
      'state-embedded',
      'state-redis',
      'table',
      'registry',
      'units',
      'access',
      'duplicates',
      'publishing',
      'projection',
      'reading',
      'settings',
      'folder',
      'telemetry',
      'http',
    ],
    clients: ['@nestjs/*'],
  },
  gateway: {
    rooms: [
      'subscription-doors',
      'dead-letters',
      'concurrency',
      'faults',
      'core',
      'log',
      'registry',
      'access',
      'publishing',
      'projection',
      'reading',
      'http',
    ],
    clients: ['@nestjs/*'],
  },
  watch: {
    rooms: [
      'concurrency',
      'faults',
      'event',
      'core',
      'http',
      'log',
      'publishing',
      'reading',
      'registry',
      'table',
      'units',
    ],
    clients: ['@nestjs/*'],
  },
  projector: {
    rooms: [
      'concurrency',
      'faults',
      'event',
      'core',
      'registry',
      'units',
      'duplicates',
      'publishing',
      'projection',
      'reading',
    ],
    clients: ['@nestjs/*'],
  },
};

const MARK = '<!-- generated from bin/rooms.mjs -->';

/** The text of a room's README with its line "May import" as the table says; the line is added when it is missing. */
export function withImports(readme, room) {
  const { rooms, clients } = ROOMS[room];
  const names = rooms.join(', ') || 'no other room';
  const line = `May import: ${names}${clients.length > 0 ? `; of npm: ${clients.join(', ')}` : ''}. ${MARK}`;
  const old = new RegExp(`^(- )?May import:.*$`, 'm');
  const marked = new RegExp(`^(- )?May import:.*${MARK}$`, 'm');
  const found = marked.test(readme) ? marked : old;
  if (found.test(readme)) return readme.replace(found, (_all, dash = '') => `${dash}${line}`);
  return `${readme.trimEnd()}\n\n${line}\n`;
}

export function lintConfig() {
  const overrides = [
    { files: ['libs/**/*.ts', 'apps/**/*.ts'], rules: { 'node/no-process-env': 'error' } },
    { files: ['libs/settings/**/*.ts'], rules: { 'node/no-process-env': 'off' } },
  ];
  for (const [room, { rooms, clients }] of Object.entries(ROOMS)) {
    const patterns = [];
    patterns.push({
      group: ['#*', ...rooms.flatMap((r) => [`!#${r}`])],
      message: `${room} may import ${rooms.join(', ') || 'no other room'}`,
    });
    patterns.push({
      group: CLIENTS.filter((c) => !clients.includes(c)),
      message: `${room} may import ${clients.join(', ') || 'no client library'}`,
    });
    const others = Object.keys(ROOMS).filter((r) => r !== room);
    patterns.push({
      group: others.flatMap((r) => [`../${r}/**`, `../../${r}/**`]),
      message: 'another room is imported by its name, #room',
    });
    patterns.push({
      group: ['**/apps/**', '**/deploy/**', '**/test/**'],
      message: 'libs never import apps, deploy or test',
    });
    overrides.push({ files: [`libs/${room}/**/*.ts`], rules: { 'no-restricted-imports': ['error', { patterns }] } });
  }
  overrides.push({
    files: ['apps/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['kafkajs', '@platformatic/kafka', 'ioredis', 'avsc'],
              message: 'apps compose; only the adapter room imports a client library',
            },
            { group: ['**/apps/*', '../../../*/src/*', '../../*/src/*'], message: 'apps never import each other' },
          ],
        },
      ],
    },
  });
  overrides.push({
    files: ['**/*.spec.ts', '**/*.fixture.ts', '**/*.child.ts', 'libs/*/conformance/**', 'test/**', 'deploy/**'],
    rules: { 'no-restricted-imports': 'off', 'node/no-process-env': 'off' },
  });
  return {
    plugins: ['typescript', 'import', 'node'],
    ignorePatterns: ['dist', 'node_modules', '.simpul'],
    rules: {
      'import/no-cycle': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'typescript/no-explicit-any': 'error',
    },
    overrides,
  };
}
