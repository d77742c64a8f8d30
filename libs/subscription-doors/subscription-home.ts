import { CORE, type Core } from '#core';
import {
  ATTEMPTS_SPEC,
  COURIER_GROUP,
  desksBy,
  openOwners,
  SubscriptionTables,
  type DeskPlace,
  type Desks,
  type OwnersTable,
  type PartitionDesk,
} from '#delivery';
import { Fault } from '#faults';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';

/** The subscriptions as this process sees them: the table of all of them, and who runs which. A courier of this process serves its own from here. */
@Injectable()
export class SubscriptionHome implements Desks, OnModuleInit, OnApplicationShutdown {
  #tables: SubscriptionTables | undefined;
  #owners: OwnersTable | undefined;
  #desks: Desks = { of: () => ({ kind: 'nobody' }) };
  #local: (partition: number) => PartitionDesk | undefined = () => undefined;

  constructor(@Inject(CORE) private readonly core: Core) {}

  async onModuleInit(): Promise<void> {
    const { log, tableReport: report, settings } = this.core;
    // Its readers come before the first courier, too.
    await log.ensureTopic(ATTEMPTS_SPEC);
    this.#tables = await SubscriptionTables.open(log, report);
    this.#owners = await openOwners({ log, group: COURIER_GROUP, report });
    this.#desks = desksBy(this.#owners, settings.address, (partition) => this.#local(partition));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#owners?.close();
    await this.#tables?.close();
  }

  /** Fault `starting` before the module was initialised. */
  get tables(): SubscriptionTables {
    if (this.#tables === undefined) throw new Fault('starting');
    return this.#tables;
  }

  /** Fault `starting` before the module was initialised. */
  get owners(): OwnersTable {
    if (this.#owners === undefined) throw new Fault('starting');
    return this.#owners;
  }

  /** The courier of this process has a desk for each partition that it owns. */
  serve(desk: (partition: number) => PartitionDesk | undefined): void {
    this.#local = desk;
  }

  of(partition: number): DeskPlace {
    return this.#desks.of(partition);
  }
}
