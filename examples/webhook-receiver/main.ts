import { createServer } from 'node:http';
import { Refuse, webhookHandler } from '@simpul/sdk/webhooks';

const secret = process.env['SIMPUL_WEBHOOK_SECRET'];
if (secret === undefined) {
  console.error('set SIMPUL_WEBHOOK_SECRET: the hub shows it when the subscription is made (README.md)');
  process.exit(1);
}
// Two while it is rotated.
const secrets = secret.split(',');
const port = Number(process.env['PORT'] ?? 3000);

/** Verifies, reads, and answers: 204 when the function has ended, 422 for `Refuse`, 500 for everything else that it throws. */
const receive = webhookHandler(
  (event) => {
    const { unit, tanggal, jumlahTahanan, jumlahNarapidana, jumlahAnak, kapasitas } = event.data;
    if (typeof kapasitas !== 'number') throw new Refuse('a report without kapasitas');
    const held = Number(jumlahTahanan) + Number(jumlahNarapidana) + Number(jumlahAnak);
    console.log(`${String(tanggal)} ${String(unit)}: ${held} in ${kapasitas} places`);
  },
  { secrets },
);

const server = createServer((request, response) => {
  if (request.url === '/webhooks/simpul') receive(request, response);
  else response.writeHead(404).end();
});
server.listen(port, () => console.log(`listening at port ${port}`));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // What is in work ends first; the hub brings everything else again.
    server.close();
    server.closeIdleConnections();
  });
