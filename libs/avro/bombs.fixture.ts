// Decodes bytes that would end the process if avsc read them without the guard. Prints for each its name, the fault code and the milliseconds.
import { compileContract, type Contract } from '#avro';
import { isFault } from '#faults';

const record = (type: unknown): Contract =>
  compileContract(JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'f', type }] }));
const list = (items: unknown): unknown => ({ type: 'array', items });
const map = (values: unknown): unknown => ({ type: 'map', values });

/** Zigzag varints of 10^8, 10^9, 2 · 10^9 and 2^60. */
const E8 = '8084af5f';
const E9 = '80a8d6b907';
const TWO_E9 = '80d0acf30e';
const FAR = '808080808080808020';

const bombs: [string, unknown, string][] = [
  ['10^8 texts', list('string'), E8],
  ['10^9 texts', list('string'), E9],
  ['10^8 ints', list('int'), E8],
  ['10^9 booleans', list('boolean'), `${E9}01`],
  ['2^60 ints', list('int'), FAR],
  ['a sized block of 10^9 ints', list('int'), 'ffa7d6b90702'],
  ['10^9 optional records', list(['null', { type: 'record', name: 'P', fields: [{ name: 'a', type: 'int' }] }]), E9],
  ['a list of lists', list(list('string')), `02${E9}`],
  ['10^9 map entries', map('null'), E9],
  ['a text of 2 · 10^9 bytes', 'string', TWO_E9],
  ['bytes of 2 · 10^9 bytes', 'bytes', TWO_E9],
  ['bytes of a negative length', 'bytes', '01'],
];

/** The fastest of up to five tries, so that other work on the machine does not count. */
function outcome(decode: () => unknown): { code: string; ms: number } {
  let code = 'none';
  let ms = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5 && ms >= 50; i++) {
    const before = performance.now();
    try {
      decode();
    } catch (e) {
      code = isFault(e) ? e.code : String(e);
    }
    ms = Math.min(ms, performance.now() - before);
  }
  return { code, ms };
}

for (const [what, type, hex] of bombs) {
  const contract = record(type);
  const bare = Buffer.from(hex, 'hex');
  const frame = Buffer.from(`0000000001${hex}`, 'hex');
  const ways = [
    () => contract.decode(bare, { framed: false }),
    () => contract.decode(frame, { framed: true }),
    () => contract.decode(bare, { framed: false, reader: record(type) }),
    () => contract.decode(bare, { framed: false, reader: record(['null', type]) }),
  ];
  for (const way of ways) console.log(JSON.stringify({ what, ...outcome(way) }));
}
