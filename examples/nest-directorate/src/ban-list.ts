import { DatabaseSync } from 'node:sqlite';
import { Injectable } from '@nestjs/common';
import { OnEvent } from '@simpul/nest';
import {
  CegahBerakhir,
  CegahDaftarDiterima,
  CegahDitetapkan,
  type CegahBerakhirData,
  type CegahDaftarDiterimaData,
  type CegahDitetapkanData,
} from './events/index.js';

/**
 * The ban list at the directorate general, and which posts have which version. The handlers of the list are those of a border post in a district, which reads over HTTP
 * (../nest-unit-system): they do not see where an event comes from. Delivery is at-least-once: each statement has the same effect when its event comes again.
 */
@Injectable()
export class BanList {
  constructor(private readonly database: DatabaseSync) {
    database.exec('CREATE TABLE IF NOT EXISTS bans (number TEXT PRIMARY KEY, since INTEGER, ended INTEGER) STRICT');
    database.exec('CREATE TABLE IF NOT EXISTS posts (unit TEXT PRIMARY KEY, version INTEGER) STRICT');
  }

  @OnEvent(CegahDitetapkan, { concurrency: 1 })
  decided(ban: CegahDitetapkanData): void {
    this.database
      .prepare('INSERT INTO bans (number, since) VALUES (?, ?) ON CONFLICT DO UPDATE SET since = excluded.since')
      .run(ban.nomorCekal, ban.versiDaftar);
    this.#tell(ban.versiDaftar);
  }

  @OnEvent(CegahBerakhir, { concurrency: 1 })
  ended(ban: CegahBerakhirData): void {
    this.database.prepare('UPDATE bans SET ended = ? WHERE number = ?').run(ban.versiDaftar, ban.nomorCekal);
    this.#tell(ban.versiDaftar);
  }

  /** A post has a version of the list. Those of one post come in order. */
  @OnEvent(CegahDaftarDiterima)
  acknowledged({ unit, versiDaftar, jumlahEntri }: CegahDaftarDiterimaData): void {
    this.database
      .prepare('INSERT INTO posts VALUES (?, ?) ON CONFLICT DO UPDATE SET version = max(version, excluded.version)')
      .run(unit, versiDaftar);
    console.log(`${unit} has list v${versiDaftar} with ${jumlahEntri} entries`);
  }

  #tell(version: number): void {
    const { entries } = this.database
      .prepare('SELECT count(*) AS entries FROM bans WHERE since <= ?1 AND (ended IS NULL OR ended > ?1)')
      .get(version) as { entries: number };
    console.log(`list v${version} with ${entries} entries`);
  }
}
