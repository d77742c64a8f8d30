import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { legacy } from '#nest-kit';
import { filePlaces } from './file-places.js';
import { PostModule, type PostClient } from './post.module.js';

const { SIMPUL_CLIENT, SimpulServer, StreamSource } = legacy;

const app = await NestFactory.create(PostModule, { logger: ['error', 'warn'] });
const { reader } = app.get<PostClient>(SIMPUL_CLIENT);
const source = new StreamSource({
  reader,
  types: ['imigrasi.cegah.ditetapkan', 'imigrasi.cegah.berakhir'],
  places: filePlaces(process.argv[2] ?? 'nest-unit-system.places.json'),
});
app.enableShutdownHooks();
await SimpulServer.start(app, {
  source,
  report: {
    ended: (cause) => {
      console.error(String(cause));
      process.exitCode = 1;
      void app.close();
    },
  },
});
console.log('following imigrasi.cegah');
