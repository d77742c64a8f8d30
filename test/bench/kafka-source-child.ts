import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  type KafkaContext,
  Payload,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import avsc from 'avsc';
import { Kafka, logLevel } from 'kafkajs';
import { compileContract, type Contract } from '#avro';
import { digestOf } from '#event';
import { kafka } from '#kafka-source';

export interface Order {
  readonly variant: 'bare' | 'source' | 'nest' | 'nestSame';
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly group: string;
  readonly stream: string;
  readonly type: string;
  readonly schema: string;
  readonly events: number;
  readonly warmUp: number;
}

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const { brokers, prefix, group, stream, type, events, warmUp } = order;
const topic = prefix + stream;
const schema = avsc.Type.forSchema(JSON.parse(order.schema) as avsc.Schema);
const decode = (value: Buffer | null): unknown => (value === null ? undefined : schema.fromBuffer(value.subarray(5)));

let seen = 0;
let began = 0;
let cpu = process.cpuUsage();
const done = Promise.withResolvers<void>();
/** The clock starts behind the first `warmUp` events: joining the group and compiling the code are not measured. */
function count(more: number): void {
  seen += more;
  if (began === 0 && seen >= warmUp) {
    began = performance.now();
    cpu = process.cpuUsage();
    measured = events - seen;
  }
  if (seen >= events) done.resolve();
}
let measured = 0;

const run: Record<Order['variant'], () => Promise<() => Promise<unknown>>> = {
  async bare() {
    const consumer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).consumer({ groupId: group });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachBatchAutoResolve: true,
      eachBatch: ({ batch: { messages } }) => {
        for (const { value } of messages) decode(value);
        count(messages.length);
        return Promise.resolve();
      },
    });
    return () => consumer.disconnect();
  },
  async source() {
    const source = kafka({ brokers, prefix, group });
    const sink = {
      async deliver(batch: Parameters<Parameters<typeof source.run>[0]['deliver']>[0]) {
        count(batch.events.length);
        await batch.commit(batch.events.length);
      },
      revoke: () => Promise.resolve(),
    };
    void source.run(sink, { types: [type] });
    return () => source.stop();
  },
  nest() {
    @Controller()
    class Handlers {
      @EventPattern(topic)
      on(@Payload() value: unknown): void {
        decode(value as Buffer);
        count(1);
      }
    }
    return nestApp(Handlers);
  },
  nestSame() {
    const contract = compileContract(order.schema);
    @Controller()
    class Handlers {
      @EventPattern(topic)
      on(@Payload() value: unknown, @Ctx() context: unknown): void {
        eventOf(contract, value as Buffer, (context as KafkaContext).getMessage() as unknown as NestMessage);
        count(1);
      }
    }
    return nestApp(Handlers);
  },
};

/** As the transport of Nest gives it: key and headers as texts. */
interface NestMessage {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a consumer of one's own has to do at least: the digest, the data as plain JSON, the attributes. Copies and settled ends are left out, and so are places. */
function eventOf(contract: Contract, value: Buffer, { key, headers }: NestMessage): unknown {
  const digest = digestOf(Buffer.from(key), value);
  const given: unknown = headers['simpul-digest'];
  // Nest makes text of a header, but for one whose first byte is 0.
  if (!(Buffer.isBuffer(given) ? digest.equals(given) : digest.toString() === given)) throw new Error('digest');
  const event: Record<string, unknown> = { data: contract.decode(value, { framed: true }) };
  for (const name in headers) if (name.startsWith('ce_')) event[name.slice(3)] = headers[name];
  return event;
}

async function nestApp(controller: new () => object): Promise<() => Promise<unknown>> {
  @Module({ controllers: [controller] })
  class App {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(App, {
    logger: false,
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [...brokers], logLevel: logLevel.NOTHING },
      consumer: { groupId: group },
      subscribe: { fromBeginning: true },
      parser: { keepBinary: true },
    },
  });
  await app.listen();
  return () => app.close();
}

const close = await run[order.variant]();
await done.promise;
const seconds = (performance.now() - began) / 1000;
const used = process.cpuUsage(cpu);
process.stdout.write(JSON.stringify({ events: measured, seconds, cpu: (used.user + used.system) / 1e6 }));
await close();
process.exit(0);
