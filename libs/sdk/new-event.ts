import { dataschemaOf, encodeEvent } from './codec.js';
import type { ToPublish } from './plain-types.js';
import type { NewEvent } from './publisher.js';
import type { EventToken } from './token.js';

/**
 * The event of a token with this data, to be published. Throws `SdkFault` as `encodeEvent` does, when the data does not fit the token's schema: nothing has left
 * the process then. Longs that are bigint become numbers, or beyond 2^53 text, as the hub takes them.
 */
export function newEvent<T extends object>(
  token: EventToken<T>,
  data: ToPublish<T>,
  attributes: Omit<NewEvent, 'type' | 'data' | 'dataschema'> = {},
): NewEvent {
  encodeEvent(token, data);
  const plain = JSON.parse(JSON.stringify(data, withoutBigints)) as NewEvent['data'];
  return { ...attributes, type: token.type, dataschema: dataschemaOf(token), data: plain };
}

const withoutBigints = (_name: string, value: unknown): unknown => {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};
