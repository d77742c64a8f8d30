/** The naive gateway: Nest on Express, a zod schema, one kafkajs send a request. argv: brokers topic key-hash. Prints its port. */
import 'reflect-metadata';
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  Body,
  Controller,
  Headers,
  HttpCode,
  Inject,
  Module,
  Post,
  UnauthorizedException,
  UnprocessableEntityException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { z } from 'zod';

const [brokers = '', topic = '', keyHash = ''] = process.argv.slice(2);
const PRODUCER = Symbol('producer');
const Event = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1).max(255),
  source: z.string().regex(/^urn:simpul:/),
  type: z.string(),
  time: z.iso.datetime({ offset: true }),
  data: z.record(z.string(), z.unknown()),
});

@Controller()
class EventsController {
  constructor(@Inject(PRODUCER) private readonly producer: Producer) {}

  @Post('v1/events')
  @HttpCode(201)
  async publish(@Headers('authorization') authorization: string, @Body() body: unknown): Promise<unknown> {
    const hash = createHash('sha256')
      .update(authorization?.slice(7) ?? '')
      .digest();
    if (!timingSafeEqual(hash, Buffer.from(keyHash, 'hex'))) throw new UnauthorizedException();
    const event = Event.safeParse(body);
    if (!event.success) throw new UnprocessableEntityException(event.error.issues);
    const [written] = await this.producer.send({
      topic,
      acks: -1,
      messages: [{ key: String(event.data.data['nomorKasus'] ?? event.data.id), value: JSON.stringify(event.data) }],
    });
    return { id: event.data.id, partition: written?.partition, offset: written?.baseOffset };
  }
}

const kafka = new Kafka({ clientId: 'naive', brokers: brokers.split(','), logLevel: logLevel.NOTHING });

@Module({
  controllers: [EventsController],
  providers: [
    {
      provide: PRODUCER,
      useFactory: async (): Promise<Producer> => {
        const producer = kafka.producer();
        await producer.connect();
        return producer;
      },
    },
  ],
})
class NaiveModule {}

const app = await NestFactory.create(NaiveModule, { logger: false });
await app.listen(0, '127.0.0.1');
process.stdout.write(`${(app.getHttpServer().address() as { port: number }).port}\n`);
