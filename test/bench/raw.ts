/**
 * The upper bound: node:http with only the parser, the contract and the appender of the gateway.
 * argv: brokers topic partitions contract-file schema-id. Prints its port.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { compileContract, parseJson } from '#avro';
import { digestOf, partitionOf, toHeaders } from '#event';
import { Appender } from '#log';
import { openKafkaLog } from '#log-kafka';

const [brokers = '', topic = '', partitions = '8', contractFile = '', schemaId = '1'] = process.argv.slice(2);
const contract = compileContract(readFileSync(contractFile, 'utf8'));
const log = await openKafkaLog({ brokers: brokers.split(','), clientId: 'raw' });
const appender = new Appender(log);

interface Body {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly data: Record<string, unknown>;
}

const server = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (c: Buffer) => chunks.push(c));
  req.on('end', () => {
    const parsed = parseJson(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    if (!parsed.ok) return void res.writeHead(400).end();
    const event = parsed.value as Body;
    const encoded = contract.encode(event.data, Number(schemaId));
    if (!encoded.ok) return void res.writeHead(422).end();
    const subject = String(event.data['nomorKasus']);
    const key = Buffer.from(subject);
    const partition = partitionOf(key, Number(partitions));
    const headers = toHeaders(
      {
        id: event.id,
        source: event.source,
        type: event.type,
        subject,
        time: event.time,
        dataschema: `urn:simpul:schema:${event.type}:1`,
        extensions: {},
      },
      { digest: digestOf(key, encoded.value), recordedtime: new Date().toISOString() },
    );
    void appender
      .append(topic, partition, [{ key, value: encoded.value, headers }], { timeoutMs: 5000 })
      .then((outcome) => {
        const text =
          outcome.kind === 'accepted' ? JSON.stringify({ id: event.id, partition, offset: String(outcome.base) }) : '';
        res.writeHead(outcome.kind === 'accepted' ? 201 : 503, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        });
        res.end(text);
      });
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`);
});
