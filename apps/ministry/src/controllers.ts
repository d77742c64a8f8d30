import { Controller } from '@nestjs/common';
import { legacy } from '#nest-kit';
import { Bans } from './flows/bans.js';
import { Complaints } from './flows/complaints.js';
import { Foreigners } from './flows/foreigners.js';
import { Passports } from './flows/passports.js';
import { Remission } from './flows/remission.js';
import { Transfers } from './flows/transfers.js';
import type { ReceivedEvent } from './subscriptions.js';

const { Batch, OnEvent } = legacy;

/** What immigration offices and SIMPONI do when they receive an event. */
@Controller()
export class ImmigrationController {
  constructor(
    private readonly bans: Bans,
    private readonly passports: Passports,
  ) {}

  @OnEvent('imigrasi.cegah.diusulkan')
  banProposed(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.bans.proposed(received);
  }

  @OnEvent('imigrasi.cegah.ditetapkan')
  banDecided(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.bans.listChanged(received);
  }

  @OnEvent('imigrasi.cegah.berakhir')
  banEnded(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.bans.listChanged(received);
  }

  @OnEvent('imigrasi.cegah.daftar-diterima')
  listAcknowledged(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.bans.acknowledged(received);
  }

  @OnEvent('keu.pnbp.tagihan-diterbitkan')
  billIssued(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.passports.billed(received);
  }

  @OnEvent('keu.pnbp.pembayaran-diterima')
  billPaid(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.passports.paid(received);
  }
}

/** What prisons, bapas, rudenim and the directorate general of corrections do when they receive an event. */
@Controller()
export class PrisonController {
  constructor(
    private readonly transfers: Transfers,
    private readonly foreigners: Foreigners,
    private readonly remission: Remission,
  ) {}

  @OnEvent('pas.pemindahan.diusulkan')
  transferProposed(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.transfers.proposed(received);
  }

  @OnEvent('pas.litmas.selesai')
  inquiryReported(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.transfers.reported(received);
  }

  @OnEvent('pas.penghuni.dipindahkan')
  inmateMoved(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.transfers.departed(received);
  }

  @OnEvent('pas.penghuni.bebas')
  inmateReleased(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.foreigners.released(received);
  }

  @OnEvent('pas.remisi.diusulkan')
  remissionProposed(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.remission.proposed(received);
  }

  @OnEvent('pas.remisi.ditetapkan')
  remissionGranted(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.remission.granted(received);
  }
}

/** What any office does when it receives a complaint, or a case that it has to work on. */
@Controller()
export class ServiceController {
  constructor(
    private readonly transfers: Transfers,
    private readonly complaints: Complaints,
  ) {}

  @OnEvent('layanan.pengaduan.diterima')
  complaintReceived(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) this.complaints.begin(received);
  }

  @OnEvent('layanan.kasus.status-berubah')
  caseChanged(@Batch() batch: ReceivedEvent[]): void {
    for (const received of batch) {
      if (received.office.unit?.type === 'bapas') this.transfers.inquire(received);
      else this.complaints.continueCase(received);
    }
  }
}
