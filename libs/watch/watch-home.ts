import { CORE, type Core } from '#core';
import { Fault } from '#faults';
import type { OwnedTable } from '#table';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { WatchRow } from './book.js';
import type { Finding } from './finding.js';
import { openWatchTable } from './table.js';

/** The table of the watch in this process, whoever watches. */
@Injectable()
export class WatchHome implements OnModuleInit, OnApplicationShutdown {
  #table: OwnedTable<WatchRow> | undefined;

  constructor(@Inject(CORE) private readonly core: Core) {}

  async onModuleInit(): Promise<void> {
    const { log, tableReport } = this.core;
    this.#table = await openWatchTable(log, tableReport);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#table?.close();
  }

  /** Fault `starting` before the module was initialised. */
  get table(): OwnedTable<WatchRow> {
    if (this.#table === undefined) throw new Fault('starting');
    return this.#table;
  }

  /** What is stored of findings now. */
  *findings(): IterableIterator<Finding> {
    for (const [, known] of this.table.entries())
      if (known.kind === 'source' || known.kind === 'reports') yield* known.row.findings;
  }
}
