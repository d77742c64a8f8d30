/** The naive projector: kafkajs eachMessage and two HSETs per event. argv: brokers topic redis contract-file. */
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { serve } from './child.js';
import type { FoldRequest } from './projector-child.js';

const FRAME = 5;
const [brokers = '', topic = '', redisUrl = '', contractFile = ''] = process.argv.slice(2);
const type = avsc.Type.forSchema(JSON.parse(readFileSync(contractFile, 'utf8')) as avsc.Schema);
const kafka = new Kafka({ clientId: 'naive', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
const redis = new Redis(redisUrl);

serve<FoldRequest>(async ({ round, events }) => {
  const consumer = kafka.consumer({ groupId: round });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let folded = 0;
  let began = 0;
  let ended = 0;
  await new Promise<void>((done, fail) => {
    consumer.on(consumer.events.CRASH, (e) => fail(e.payload.error));
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          began ||= performance.now();
          if (ended > 0) return;
          const value: unknown = type.fromBuffer(message.value!.subarray(FRAME));
          await redis.hset(`${round}:state`, message.key!.toString(), JSON.stringify(value));
          await redis.hset(`${round}:offset`, String(partition), message.offset);
          if (++folded < events) return;
          ended = performance.now();
          done();
        },
      })
      .catch(fail);
  });
  await consumer.disconnect();
  return { events: folded, seconds: (ended - began) / 1000 };
});
