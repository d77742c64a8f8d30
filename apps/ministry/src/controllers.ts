import {
  Controller,
  createParamDecorator,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import {
  CegahBerakhir,
  type CegahBerakhirData,
  CegahDaftarDiterima,
  type CegahDaftarDiterimaData,
  CegahDitetapkan,
  type CegahDitetapkanData,
  CegahDiusulkan,
  type CegahDiusulkanData,
  KasusStatusBerubah,
  type KasusStatusBerubahData,
  LayananPengaduanDiterima,
  type LayananPengaduanDiterimaData,
  LitmasSelesai,
  type LitmasSelesaiData,
  PemindahanDiusulkan,
  type PemindahanDiusulkanData,
  PenghuniBebas,
  type PenghuniBebasData,
  PenghuniDipindahkan,
  type PenghuniDipindahkanData,
  PnbpPembayaranDiterima,
  type PnbpPembayaranDiterimaData,
  PnbpTagihanDiterbitkan,
  type PnbpTagihanDiterbitkanData,
  RemisiDitetapkan,
  type RemisiDitetapkanData,
  RemisiDiusulkan,
  type RemisiDiusulkanData,
} from '#event-types';
import { Event, OnEvent, type EventContext } from '#nest-kit';
import type { EventOf, ReadEvent } from '#sdk';
import { EMPTY, tap, type Observable } from 'rxjs';
import { Directorates } from './directorates.js';
import { Bans } from './flows/bans.js';
import { Complaints } from './flows/complaints.js';
import { Foreigners } from './flows/foreigners.js';
import { Passports } from './flows/passports.js';
import { Remission } from './flows/remission.js';
import { Transfers } from './flows/transfers.js';
import { Offices } from './offices.js';
import type { Office } from './office.js';
import { Pulls } from './pulls/pulls.js';
import { Webhooks } from './webhooks/webhooks.js';

/** The owner whose subscription an event came from: the name of the source, before the first `/` of the feed. */
const ownerOf = (context: ExecutionContext): string =>
  context.switchToRpc().getContext<EventContext>().feed.split('/', 1)[0]!;
const Receiver = createParamDecorator((_data: unknown, context: ExecutionContext) => ownerOf(context));

/** The office of an owner. */
@Injectable()
export class OfficeOf implements PipeTransform<string, Office> {
  constructor(private readonly offices: Offices) {}

  transform(owner: string): Office {
    return this.offices.find(owner)!;
  }
}

/** A group of Kafka goes on where it was, also with events of an earlier day that was cut short: nothing follows from them. */
@Injectable()
export class DayOfEvent implements NestInterceptor {
  constructor(
    private readonly directorates: Directorates,
    private readonly webhooks: Webhooks,
    private readonly pulls: Pulls,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const event = context.switchToRpc().getContext<EventContext>().event as ReadEvent;
    const owner = ownerOf(context);
    const handled = (): void => {
      this.directorates.handled(owner, event);
      this.webhooks.handled(owner, event);
      this.pulls.handled(owner, event);
    };
    if (!this.directorates.isOfToday(event)) return EMPTY;
    return next.handle().pipe(tap({ complete: handled }));
  }
}

/** What immigration offices and SIMPONI do when they receive an event. */
@Controller()
@UseInterceptors(DayOfEvent)
export class ImmigrationController {
  constructor(
    private readonly bans: Bans,
    private readonly passports: Passports,
  ) {}

  @OnEvent(CegahDiusulkan)
  banProposed(proposal: CegahDiusulkanData, @Receiver(OfficeOf) directorate: Office): void {
    this.bans.proposed(proposal, directorate);
  }

  @OnEvent(CegahDitetapkan)
  banDecided(ban: CegahDitetapkanData, @Receiver(OfficeOf) post: Office): void {
    this.bans.decided(ban, post);
  }

  @OnEvent(CegahBerakhir)
  banEnded(end: CegahBerakhirData, @Receiver(OfficeOf) post: Office): void {
    this.bans.ended(end, post);
  }

  @OnEvent(CegahDaftarDiterima)
  listAcknowledged(receipt: CegahDaftarDiterimaData): void {
    this.bans.acknowledged(receipt);
  }

  @OnEvent(PnbpTagihanDiterbitkan)
  billIssued(bill: PnbpTagihanDiterbitkanData, @Receiver(OfficeOf) simponi: Office): void {
    this.passports.billed(bill, simponi);
  }

  @OnEvent(PnbpPembayaranDiterima)
  billPaid(payment: PnbpPembayaranDiterimaData): void {
    this.passports.paid(payment);
  }
}

/** What prisons, bapas, rudenim and the directorate general of corrections do when they receive an event. */
@Controller()
@UseInterceptors(DayOfEvent)
export class PrisonController {
  constructor(
    private readonly transfers: Transfers,
    private readonly foreigners: Foreigners,
    private readonly remission: Remission,
  ) {}

  @OnEvent(PemindahanDiusulkan)
  transferProposed(proposal: PemindahanDiusulkanData, @Receiver(OfficeOf) kanwil: Office): void {
    this.transfers.proposed(proposal, kanwil);
  }

  @OnEvent(LitmasSelesai)
  inquiryReported(@Event() report: EventOf<LitmasSelesaiData>): void {
    this.transfers.reported(report);
  }

  @OnEvent(PenghuniDipindahkan)
  inmateMoved(move: PenghuniDipindahkanData, @Receiver(OfficeOf) prison: Office): void {
    this.transfers.departed(move, prison);
  }

  @OnEvent(PenghuniBebas)
  inmateReleased(release: PenghuniBebasData, @Receiver(OfficeOf) rudenim: Office): void {
    this.foreigners.released(release, rudenim);
  }

  @OnEvent(RemisiDiusulkan)
  remissionProposed(proposal: RemisiDiusulkanData, @Receiver(OfficeOf) directorate: Office): void {
    this.remission.proposed(proposal, directorate);
  }

  @OnEvent(RemisiDitetapkan)
  remissionGranted(grant: RemisiDitetapkanData, @Receiver(OfficeOf) prison: Office): void {
    this.remission.granted(grant, prison);
  }
}

/** What any office does when it receives a complaint, or a case that it has to work on. */
@Controller()
@UseInterceptors(DayOfEvent)
export class ServiceController {
  constructor(
    private readonly transfers: Transfers,
    private readonly complaints: Complaints,
  ) {}

  @OnEvent(LayananPengaduanDiterima)
  complaintReceived(complaint: LayananPengaduanDiterimaData, @Receiver(OfficeOf) unit: Office): void {
    this.complaints.begin(complaint, unit);
  }

  @OnEvent(KasusStatusBerubah)
  caseChanged(change: KasusStatusBerubahData, @Receiver(OfficeOf) holder: Office): void {
    if (holder.unit?.type === 'bapas') this.transfers.inquire(change, holder);
    else this.complaints.continueCase(change, holder);
  }
}
