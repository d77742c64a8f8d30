import { DatabaseSync } from 'node:sqlite';
import { Module } from '@nestjs/common';
import { SimpulModule } from '@simpul/nest';
import { sqlitePlaces } from '@simpul/sdk/consuming';
import { BanList } from './ban-list.js';

/** The database of the post: the ban list, and how far the stream is handled. They are lost, or restored, together. */
const database = new DatabaseSync(process.env['POST_DATABASE'] ?? 'post.sqlite');

@Module({
  imports: [
    SimpulModule.forRoot({
      url: process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080',
      key: process.env['SIMPUL_KEY'] ?? '',
      places: sqlitePlaces(database),
      language: 'en',
      startMs: 5_000,
    }),
  ],
  providers: [{ provide: DatabaseSync, useValue: database }, BanList],
})
export class PostModule {}
