import { connect, createPublisher, createReader, isSdkFault } from '@simpul/sdk';

const url = process.env['SIMPUL_URL'] ?? 'http://127.0.0.1:8080';
const key = process.env['SIMPUL_KEY'] ?? '';
const connection = connect({ url });

try {
  const reader = createReader({ connection, key });
  // `today` is the day in the zone of the unit: before 07:00 in Jakarta the day of UTC is still yesterday.
  const { unit, system, today } = await reader.me({ deadlineMs: 5_000 });
  const publisher = createPublisher({ connection, key, owner: unit, system });
  const now = new Date();

  // The SDK retries with the same id until the hub has answered, so a bad connection cannot make two reports.
  const receipt = await publisher.publish({
    type: 'pas.hunian.dilaporkan',
    data: {
      unit,
      tanggal: today,
      kapasitas: 327,
      jumlahTahanan: 33,
      jumlahNarapidana: 298,
      jumlahAnak: 0,
      perempuan: 17,
      warganegaraAsing: 2,
      masukHariIni: 1,
      keluarHariIni: 0,
      pindahMasuk: 0,
      pindahKeluar: 0,
      melewatiMasaPenahanan: 2,
      waktuLaporan: now.toISOString(),
    },
  });
  console.log(`recorded at ${receipt.position}`);

  // Read your own write: `after` waits until the view contains the event.
  const entry = await reader.state('pas.hunian-unit', unit, { after: receipt.position });
  console.log(`state: ${JSON.stringify(entry?.value)}`);
  await publisher.close();
} catch (e) {
  if (!isSdkFault(e)) throw e;
  const why = `${e.status} ${e.code}: ${JSON.stringify(e.problem.errors ?? e.problem.hint)}`;
  console.error(e.status === 0 ? `no hub answers at ${url} (${e.message}): start one, or set SIMPUL_URL` : why);
  process.exitCode = 1;
} finally {
  await connection.close();
}
