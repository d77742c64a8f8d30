/**
 * What `npm run pack` makes: one table. A subpath of a package is one line in `exports`: its name and the room whose index.ts it publishes. A room that
 * another package publishes is imported from there, never copied (the second subpath of a room re-exports the first); a room that no package publishes is bundled into each package that needs it.
 */
export const NODE_OF_LIBRARIES = '20.18.1';
export const NODE_OF_HUB = '24.15.0';

/** Rooms that may be bundled into two packages: plain functions, without classes that somebody tells apart by instanceof, and without state. */
export const MAY_BE_COPIED = ['concurrency', 'event'];

/** `./kafka` loads internal files of kafkajs by their path, so it needs exactly the version that was tested. */
const KAFKAJS = '2.2.4';

export const LIBRARIES = {
  '@simpul/sdk': {
    folder: 'sdk',
    description: 'Publish and read events of a Simpul hub: idempotent, in order, with typed faults.',
    keywords: ['simpul', 'events', 'event-hub', 'avro', 'cloudevents'],
    exports: {
      '.': 'sdk',
      './consuming': 'consuming',
      './outbox': 'outbox',
      './kafka': 'kafka-source',
      './webhooks': 'receiving',
      './testing': 'testing',
      './testcontainers': 'containers',
    },
    /** Packages of npm that are copied into the bundle with their licence. This one demands a newer Node.js in its manifest than its code needs. */
    bundled: ['eventsource-parser'],
    peers: {},
    /** Needed for one subpath only, which says so in one line when it is missing. They must be CommonJS packages. */
    optionalPeers: { testcontainers: '^12.2.0', kafkajs: KAFKAJS },
  },
  '@simpul/nest': {
    folder: 'nest',
    description: 'NestJS consumers and producers of a Simpul hub.',
    keywords: ['simpul', 'events', 'event-hub', 'nestjs', 'kafka', 'avro'],
    exports: {
      '.': 'nest-kit',
      // Re-exports @simpul/sdk/kafka, which shares avro and faults with the rest of that package: their classes are told apart by instanceof.
      './kafka': 'kafka-source',
      './testing': 'nest-testing',
    },
    bundled: [],
    peers: {
      '@nestjs/common': '^11.0.0 || ^12.0.0',
      '@nestjs/core': '^11.0.0 || ^12.0.0',
      '@nestjs/microservices': '^11.0.0 || ^12.0.0',
      'reflect-metadata': '^0.2.0',
      rxjs: '^7.8.0',
    },
    // Needed by what `./kafka` re-exports: npm and a reader of the manifest look at the package that the app names.
    optionalPeers: { kafkajs: KAFKAJS },
  },
};

/** The hub as a package: the apps and what they load, unbundled, as the build made it. */
export const HUB = {
  name: 'simpul',
  folder: 'simpul',
  description: 'The Simpul event hub and its command line.',
  keywords: ['simpul', 'events', 'event-hub', 'avro', 'kafka', 'cloudevents'],
  apps: ['cli', 'hub', 'gateway', 'projector'],
  /** Files of deploy/local that only the repository needs. */
  leftOut: ['day.js', 'for-tests.js', 'up.js'],
};
