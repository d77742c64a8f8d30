import { Controller, Inject } from '@nestjs/common';
import { legacy } from '#nest-kit';
import type { ReadEvent } from '#sdk';
import type { PostClient } from './post.module.js';

const { Batch, OnEvent, SIMPUL_CLIENT } = legacy;

/** The copy of the ban list at a border post. The post publishes which version it has, so that the directorate sees which posts are not up to date. */
@Controller()
export class BanList {
  readonly #banned = new Set<string>();

  constructor(@Inject(SIMPUL_CLIENT) private readonly hub: PostClient) {}

  @OnEvent('imigrasi.cegah.ditetapkan')
  async decided(@Batch() events: ReadEvent[]): Promise<void> {
    for (const e of events) this.#banned.add(String(e.data['nomorCekal']));
    await this.#acknowledge(events.at(-1)!);
  }

  @OnEvent('imigrasi.cegah.berakhir')
  async ended(@Batch() events: ReadEvent[]): Promise<void> {
    for (const e of events) this.#banned.delete(String(e.data['nomorCekal']));
    await this.#acknowledge(events.at(-1)!);
  }

  /** The id is made from the id of the cause (idempotent): a batch that is delivered again after a crash makes no second acknowledgement. */
  async #acknowledge({ id, recordedtime, data }: ReadEvent): Promise<void> {
    const { unit, publisher } = this.hub;
    const receipt = await publisher.publish({
      id: `terima-${id}`,
      time: recordedtime,
      type: 'imigrasi.cegah.daftar-diterima',
      extensions: { kausasi: id },
      data: { unit, versiDaftar: data['versiDaftar'], waktuDiterima: recordedtime, jumlahEntri: this.#banned.size },
    });
    console.log(`list v${String(data['versiDaftar'])} acknowledged at ${receipt.position}`);
  }
}
