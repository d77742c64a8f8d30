import { DatabaseSync } from 'node:sqlite';
import { Module } from '@nestjs/common';
import { SimpulModule } from '@simpul/nest';
import { kafka } from '@simpul/nest/kafka';
import { BanList } from './ban-list.js';

/** The database of the directorate. How far it has read is in Kafka, under its group. */
const database = new DatabaseSync(process.env['DIRECTORATE_DATABASE'] ?? 'directorate.sqlite');

@Module({
  imports: [
    SimpulModule.forRoot({
      url: process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080',
      key: process.env['SIMPUL_KEY'] ?? '',
      source: kafka({
        brokers: (process.env['SIMPUL_KAFKA'] ?? '127.0.0.1:9092').split(','),
        prefix: process.env['SIMPUL_KAFKA_PREFIX'] ?? '',
        group: 'su00007.cegah',
      }),
      language: 'en',
      startMs: 5_000,
    }),
  ],
  providers: [{ provide: DatabaseSync, useValue: database }, BanList],
})
export class DirectorateModule {}
