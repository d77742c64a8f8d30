import { DatabaseSync } from 'node:sqlite';
import { Injectable } from '@nestjs/common';
import { Event, OnEvent, SimpulPublisher, SimpulReader } from '@simpul/nest';
import type { EventOf } from '@simpul/sdk';
import {
  CegahBerakhir,
  CegahDaftarDiterima,
  CegahDitetapkan,
  type CegahBerakhirData,
  type CegahDitetapkanData,
} from './events/index.js';

/**
 * The copy of the ban list at a border post. The post publishes which version it has, so that the directorate sees which posts are not up to date. Delivery is
 * at-least-once: each statement has the same effect when its event comes again, also after newer ones.
 */
@Injectable()
export class BanList {
  constructor(
    private readonly database: DatabaseSync,
    private readonly publisher: SimpulPublisher,
    private readonly reader: SimpulReader,
  ) {
    database.exec('CREATE TABLE IF NOT EXISTS bans (number TEXT PRIMARY KEY, since INTEGER, ended INTEGER) STRICT');
  }

  @OnEvent(CegahDitetapkan, { concurrency: 1 })
  async decided(ban: CegahDitetapkanData, @Event() event: EventOf<CegahDitetapkanData>): Promise<void> {
    this.database
      .prepare('INSERT INTO bans (number, since) VALUES (?, ?) ON CONFLICT DO UPDATE SET since = excluded.since')
      .run(ban.nomorCekal, ban.versiDaftar);
    await this.#acknowledge(event, ban.versiDaftar);
  }

  @OnEvent(CegahBerakhir, { concurrency: 1 })
  async ended(ban: CegahBerakhirData, @Event() event: EventOf<CegahBerakhirData>): Promise<void> {
    this.database.prepare('UPDATE bans SET ended = ? WHERE number = ?').run(ban.versiDaftar, ban.nomorCekal);
    await this.#acknowledge(event, ban.versiDaftar);
  }

  /** Idempotent: the id is made from the id of the cause, and everything else from its version of the list, so an event that comes again makes no second acknowledgement. */
  async #acknowledge(cause: Pick<EventOf<CegahDitetapkanData>, 'id' | 'recordedtime'>, version: number): Promise<void> {
    const { entries } = this.database
      .prepare('SELECT count(*) AS entries FROM bans WHERE since <= ?1 AND (ended IS NULL OR ended > ?1)')
      .get(version) as { entries: number };
    const receipt = await this.publisher.publish(
      CegahDaftarDiterima,
      {
        unit: this.reader.owner.unit,
        versiDaftar: version,
        waktuDiterima: cause.recordedtime,
        jumlahEntri: entries,
      },
      { id: `terima-${cause.id}`, time: cause.recordedtime, extensions: { kausasi: cause.id } },
    );
    console.log(`list v${version} with ${entries} entries acknowledged at ${receipt.position}`);
  }
}
