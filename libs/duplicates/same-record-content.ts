import type { EventRecord } from '#registry';

/** Same content under two schemas of one type (R2.6): read both in the newer shape, so that fields at their default do not count. */
export function sameContent(a: EventRecord, b: EventRecord): boolean {
  if (a.type.type !== b.type.type || a.envelope.subject !== b.envelope.subject) return false;
  const newer = a.type.version >= b.type.version ? a.type : b.type;
  try {
    const read = (x: EventRecord): string =>
      JSON.stringify(
        x.type.contract.decode(x.record.value!, {
          framed: true,
          ...(x.type === newer ? {} : { reader: newer.contract }),
        }),
      );
    return read(a) === read(b);
  } catch {
    return false;
  }
}
