import type { OwnedTableOptions, TableOptions } from '../index.js';

/** A counter: a read-modify-write shows at once when an update is lost or done twice. */
export const COUNTER: Pick<TableOptions<number>, 'parse' | 'serialise'> = {
  parse: (value) => {
    const n = Number(value.toString());
    if (Number.isNaN(n)) throw new Error('not a number');
    return n;
  },
  serialise: (n) => Buffer.from(String(n)),
};

interface Note {
  readonly note: string;
  readonly epoch?: string;
}

/** Texts under an epoch. */
export const NOTES: Pick<OwnedTableOptions<string>, 'parse' | 'serialise'> = {
  parse: (value) => {
    const { note, epoch } = JSON.parse(value.toString()) as Note;
    return { row: note, epoch: epoch === undefined ? undefined : BigInt(epoch) };
  },
  serialise: (note, epoch) =>
    Buffer.from(JSON.stringify({ note, ...(epoch === undefined ? {} : { epoch: `${epoch}` }) })),
};
