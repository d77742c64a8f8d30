import { parseDataschema } from '#event';
import { decodeAs, eventAs, isSdkFault, type EventToken, type ReadEvent, type SdkFault } from '#sdk';
import { ConsumerFault } from './fault.js';
import type { ReceivedEvent } from './port.js';

/** Problems of a reader are lines of the log of the app, which are English. */
const ENGLISH = { language: 'en' } as const;

/**
 * Gives events with data of the version of the token. An event of the same version is given as it is. One of another version is resolved by the token's schema,
 * as Avro does it: unknown fields are dropped, missing ones have their default, unknown symbols the default symbol. Masked values stay as they are.
 * Throws `version_not_readable` with both versions.
 */
export function resolverOf(token: EventToken): (received: ReceivedEvent) => ReadEvent {
  return ({ event, writer }) => {
    const version = writer?.version ?? parseDataschema(event.dataschema)?.version;
    const isSame = version === undefined || version === token.version;
    if (isSame && token.longs === undefined) return event;
    try {
      if (writer === undefined || isSame) return eventAs(token, event, ENGLISH) as unknown as ReadEvent;
      return { ...event, data: decodeAs(token, writer.schema, writer.bytes, ENGLISH) as ReadEvent['data'] };
    } catch (cause) {
      if (isSdkFault(cause) && !isSame) throw notReadable(token, version!, whyOf(cause), cause);
      throw cause;
    }
  };
}

/** The value that does not fit, where it is known. */
function whyOf({ message, problem }: SdkFault): string {
  const [first] = problem.errors ?? [];
  return first?.pointer?.startsWith('/data/') === true ? `${first.pointer}: ${first.reason}` : message;
}

const notReadable = (token: EventToken, version: number, why: string, cause: unknown): ConsumerFault =>
  new ConsumerFault(
    'version_not_readable',
    `version ${token.version} of ${token.type} in this app cannot read an event of version ${version}: ${why}. Generate the token again with \`simpul type gen\``,
    cause,
  );
