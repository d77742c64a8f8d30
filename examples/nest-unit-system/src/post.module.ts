import { DatabaseSync } from 'node:sqlite';
import { Module } from '@nestjs/common';
import { SimpulModule } from '@simpul/nest';
import { BanList } from './ban-list.js';

/** The database of the post. How far it is in the list is at the hub, in the subscription `perlintasan`, which is named after the system of the key. */
const database = new DatabaseSync(process.env['POST_DATABASE'] ?? 'post.sqlite');

@Module({
  imports: [
    SimpulModule.forRoot({
      url: process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080',
      key: process.env['SIMPUL_KEY'] ?? '',
      language: 'en',
      startMs: 5_000,
    }),
  ],
  providers: [{ provide: DatabaseSync, useValue: database }, BanList],
})
export class PostModule {}
