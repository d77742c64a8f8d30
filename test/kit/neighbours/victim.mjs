// Publishes one event after the other, 20 a second, on one connection, and prints how long each took. A process of its own, so that nothing that the
// attackers do in theirs is measured. Arguments: URL, key, source, sample as JSON, seconds.
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';

const [url, key, source, sample, seconds] = process.argv.slice(2);
const { type, data } = JSON.parse(sample);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const EVERY_MS = 50;

function publish() {
  const event = {
    specversion: '1.0',
    id: randomUUID(),
    source,
    type,
    data: { ...data, nomorKasus: `N-${randomUUID()}` },
  };
  const body = JSON.stringify(event);
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${key}`,
      'content-type': 'application/cloudevents+json',
      'content-length': Buffer.byteLength(body),
    };
    const req = request(`${url}/v1/events`, { method: 'POST', agent, headers, timeout: 20_000 }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (d) => (text += d));
      res.on('end', () => resolve(res.statusCode === 201 ? 201 : `${res.statusCode} ${text.slice(0, 300)}`));
    });
    req
      .on('error', (e) => resolve(e.code ?? e.message))
      .on('timeout', () => req.destroy(new Error('no answer in 20 s')));
    req.end(body);
  });
}

const ms = [];
const refused = [];
const end = performance.now() + Number(seconds) * 1_000;
while (performance.now() < end) {
  const began = performance.now();
  const outcome = await publish();
  const took = performance.now() - began;
  ms.push(took);
  if (outcome !== 201) refused.push(outcome);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - took)));
}
process.stdout.write(JSON.stringify({ ms, refused }));
process.exit(0);
