import { Module } from '@nestjs/common';
import { legacy } from '#nest-kit';
import { connect, createPublisher, createReader, type Publisher, type Reader } from '#sdk';
import { BanList } from './ban-list.js';

/** The SDK client of the post: a publisher and a reader over one connection, with the key of the post. */
export interface PostClient extends legacy.SimpulClient {
  readonly unit: string;
  readonly publisher: Publisher;
  readonly reader: Reader;
}

async function openClient(): Promise<PostClient> {
  const key = process.env['SIMPUL_KEY'] ?? '';
  const connection = connect({ url: process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080' });
  const reader = createReader({ connection, key });
  const { unit, system } = await reader.me();
  const publisher = createPublisher({ connection, key, owner: unit, system });
  return {
    unit,
    publisher,
    reader,
    async close() {
      await publisher.close();
      await connection.close();
    },
  };
}

@Module({
  imports: [legacy.SimpulModule.forRootAsync({ useFactory: openClient })],
  controllers: [BanList],
})
export class PostModule {}
