import { accessCases } from './bad-input/access.js';
import { binaryCases } from './bad-input/binary.js';
import type { BadCase } from './bad-input/case.js';
import { eventsCases } from './bad-input/events.js';
import { framingCases } from './bad-input/framing.js';
import { jsonCases } from './bad-input/json.js';

export type { BadInputSubject, Event } from './bad-input/case.js';

/** Every case of bad input for publishing and reading. No case may change the log. */
export const BAD_INPUT: readonly BadCase[] = [
  ...framingCases,
  ...jsonCases,
  ...eventsCases,
  ...binaryCases,
  ...accessCases,
];
