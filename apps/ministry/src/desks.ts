import { Controller } from '@nestjs/common';
import { Batch, OnEvent } from '#nest-kit';
import type { Heard } from './ear.js';
import { Bans } from './flows/bans.js';
import { Complaints } from './flows/complaints.js';
import { Foreigners } from './flows/foreigners.js';
import { Passports } from './flows/passports.js';
import { Remission } from './flows/remission.js';
import { Transfers } from './flows/transfers.js';

/** What immigration offices and SIMPONI do when they read an event. */
@Controller()
export class ImmigrationDesk {
  constructor(
    private readonly bans: Bans,
    private readonly passports: Passports,
  ) {}

  @OnEvent('imigrasi.cegah.diusulkan')
  proposed(@Batch() heard: Heard[]): void {
    for (const h of heard) this.bans.proposed(h);
  }

  @OnEvent('imigrasi.cegah.ditetapkan')
  decided(@Batch() heard: Heard[]): void {
    for (const h of heard) this.bans.received(h);
  }

  @OnEvent('imigrasi.cegah.berakhir')
  ended(@Batch() heard: Heard[]): void {
    for (const h of heard) this.bans.received(h);
  }

  @OnEvent('imigrasi.cegah.daftar-diterima')
  acknowledged(@Batch() heard: Heard[]): void {
    for (const h of heard) this.bans.acknowledged(h);
  }

  @OnEvent('keu.pnbp.tagihan-diterbitkan')
  billed(@Batch() heard: Heard[]): void {
    for (const h of heard) this.passports.billed(h);
  }

  @OnEvent('keu.pnbp.pembayaran-diterima')
  paid(@Batch() heard: Heard[]): void {
    for (const h of heard) this.passports.paid(h);
  }
}

/** What prisons, bapas, rudenim and the directorate general of corrections do when they read an event. */
@Controller()
export class PrisonDesk {
  constructor(
    private readonly transfers: Transfers,
    private readonly foreigners: Foreigners,
    private readonly remission: Remission,
  ) {}

  @OnEvent('pas.pemindahan.diusulkan')
  proposed(@Batch() heard: Heard[]): void {
    for (const h of heard) this.transfers.proposed(h);
  }

  @OnEvent('pas.litmas.selesai')
  reported(@Batch() heard: Heard[]): void {
    for (const h of heard) this.transfers.reported(h);
  }

  @OnEvent('pas.penghuni.dipindahkan')
  moved(@Batch() heard: Heard[]): void {
    for (const h of heard) this.transfers.coming(h);
  }

  @OnEvent('pas.penghuni.bebas')
  freed(@Batch() heard: Heard[]): void {
    for (const h of heard) this.foreigners.freed(h);
  }

  @OnEvent('pas.remisi.diusulkan')
  remissionProposed(@Batch() heard: Heard[]): void {
    for (const h of heard) this.remission.proposed(h);
  }

  @OnEvent('pas.remisi.ditetapkan')
  remissionGranted(@Batch() heard: Heard[]): void {
    for (const h of heard) this.remission.granted(h);
  }
}

/** What any office does when it reads a complaint, or that a case is its turn. */
@Controller()
export class ServiceDesk {
  constructor(
    private readonly transfers: Transfers,
    private readonly complaints: Complaints,
  ) {}

  @OnEvent('layanan.pengaduan.diterima')
  complaint(@Batch() heard: Heard[]): void {
    for (const h of heard) this.complaints.begin(h);
  }

  @OnEvent('layanan.kasus.status-berubah')
  turn(@Batch() heard: Heard[]): void {
    for (const h of heard) {
      if (h.office.unit?.type === 'bapas') this.transfers.inquire(h);
      else this.complaints.turn(h);
    }
  }
}
