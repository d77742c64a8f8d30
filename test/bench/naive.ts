/**
 * The naive gateway for the same job, written as the guides of Nest, zod, avsc and kafkajs show it: it checks every field of the event and writes the same
 * record. Nest on Express with a guard (hash of the key), a zod pipe and a timing interceptor; one kafkajs send per request; no duplicate index.
 * argv: brokers topic key-hash contract-file schema-id. Prints its port.
 */
import 'reflect-metadata';
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import {
  Body,
  Controller,
  HttpCode,
  Inject,
  Injectable,
  Module,
  Post,
  UnauthorizedException,
  UnprocessableEntityException,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { tap, type Observable } from 'rxjs';
import { z } from 'zod';

const [brokers = '', topic = '', keyHash = '', contractFile = '', schemaId = '1'] = process.argv.slice(2);
const PRODUCER = Symbol('producer');
const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const status = z.enum([
  'draf',
  'diajukan',
  'kelengkapan',
  'menunggu_pemohon',
  'menunggu_pembayaran',
  'diproses',
  'menunggu_unit_lain',
  'diputuskan',
  'siap_diambil',
  'selesai',
  'ditolak',
  'dibatalkan',
  'kedaluwarsa',
]);
const text = z.string().min(1);
const CaseEvent = z.strictObject({
  specversion: z.literal('1.0'),
  id: text.max(255),
  source: z.string().regex(/^urn:simpul:unit:SU\d+:[a-z0-9._-]+$/),
  type: text,
  time: z.iso.datetime({ offset: true }),
  data: z.strictObject({
    nomorKasus: text,
    jenisLayanan: text,
    unitPemegang: text,
    unitSebelumnya: text.nullable().default(null),
    statusLama: status.nullable().default(null),
    statusBaru: status,
    alasanKode: text.nullable().default(null),
    jamSla: z.enum(['jalan', 'jeda', 'berhenti']),
    sisaJamKerja: z.number(),
    tenggat: moment,
    dasarTenggat: text,
    kalender: text,
    pemohonRef: text,
    petugas: text.nullable().default(null),
    luring: z.boolean(),
    waktuKejadian: moment,
    waktuTerkirim: moment,
  }),
});
type CaseEvent = z.infer<typeof CaseEvent>;

const contract = avsc.Type.forSchema(JSON.parse(readFileSync(contractFile, 'utf8')) as avsc.Schema, {
  wrapUnions: 'never',
});
const frame = Buffer.alloc(5);
frame.writeUInt32BE(Number(schemaId), 1);

@Injectable()
class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    const hash = createHash('sha256')
      .update(headers['authorization']?.slice(7) ?? '')
      .digest();
    if (!timingSafeEqual(hash, Buffer.from(keyHash, 'hex'))) throw new UnauthorizedException();
    return true;
  }
}

@Injectable()
class Timing implements NestInterceptor {
  count = 0;
  ms = 0;
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const began = performance.now();
    return next.handle().pipe(
      tap(() => {
        this.count++;
        this.ms += performance.now() - began;
      }),
    );
  }
}

class CasePipe implements PipeTransform<unknown, CaseEvent> {
  transform(body: unknown): CaseEvent {
    const event = CaseEvent.safeParse(body);
    if (event.success) return event.data;
    throw new UnprocessableEntityException(event.error.issues);
  }
}

@Controller()
@UseGuards(KeyGuard)
@UseInterceptors(Timing)
class EventsController {
  constructor(@Inject(PRODUCER) private readonly producer: Producer) {}

  @Post('v1/events')
  @HttpCode(201)
  async publish(@Body(new CasePipe()) event: CaseEvent): Promise<unknown> {
    const { id, source, type, time, data } = event;
    const subject = data.nomorKasus;
    const value = Buffer.concat([frame, contract.toBuffer(data)]);
    const digest = createHash('sha256').update(subject).update(value).digest();
    const recordedtime = new Date().toISOString();
    const [written] = await this.producer.send({
      topic,
      acks: -1,
      messages: [
        {
          key: subject,
          value,
          headers: {
            ce_specversion: '1.0',
            ce_id: id,
            ce_source: source,
            ce_type: type,
            ce_subject: subject,
            ce_time: time,
            ce_dataschema: `urn:simpul:schema:${type}:1`,
            ce_unitasal: source.split(':')[3]!,
            'content-type': 'avro/binary',
            'simpul-digest': digest,
            'simpul-recordedtime': recordedtime,
          },
        },
      ],
    });
    const { partition, baseOffset } = written!;
    return {
      id,
      source,
      type,
      stream: topic,
      partition,
      offset: Number(baseOffset),
      position: `${topic}/${partition}/${baseOffset}`,
      digest: `sha-256:${digest.toString('hex')}`,
      recordedtime,
      duplicate: false,
    };
  }
}

const kafka = new Kafka({ clientId: 'naive', brokers: brokers.split(','), logLevel: logLevel.NOTHING });

@Module({
  controllers: [EventsController],
  providers: [
    KeyGuard,
    Timing,
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
