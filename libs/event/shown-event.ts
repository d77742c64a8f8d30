import { setOwn, type ReadEnvelope } from './read-envelope.js';
import { HUB_NAMES } from './hub-names.js';
import { traceOf } from './trace.js';

/** What a reader sees beside the attributes of an event. */
export interface Shown {
  /** Only for a reader at level full. */
  readonly digest?: Buffer | undefined;
  /** The data as plain JSON, when there is no frame. */
  readonly data?: unknown;
  /** The V0 Avro frame instead of JSON. */
  readonly frame?: Buffer | undefined;
  /** `stream/partition/offset` */
  readonly position: string;
  /** Position of the original, when the event is a copy that was asked for. */
  readonly copyOf?: string | undefined;
}

/**
 * The members of an event in JSON, in their order: the CloudEvent with `recordedtime`, `digest`, `position` and `copyof` of the hub. Every reader of a stream gets
 * this, over HTTP and from Kafka.
 */
export function shownEvent(envelope: Omit<ReadEnvelope, 'digest'>, shown: Shown): Record<string, unknown> {
  const { extensions } = envelope;
  const { digest, frame, copyOf } = shown;
  const out: Record<string, unknown> = {
    specversion: '1.0',
    id: envelope.id,
    source: envelope.source,
    type: envelope.type,
    subject: envelope.subject,
    time: envelope.time,
    dataschema: envelope.dataschema,
    datacontenttype: frame === undefined ? 'application/json' : 'application/avro',
  };
  let traceparent = envelope.traceparent;
  let tracestate: string | undefined;
  for (const name in extensions) {
    const value = extensions[name]!;
    if (name === 'traceparent') traceparent = value;
    else if (name === 'tracestate') tracestate = value;
    // Records of versions that took such an extension from a publisher may have one.
    else if (!HUB_NAMES.has(name)) setOwn(out, name, value);
  }
  if (traceparent !== undefined) Object.assign(out, traceOf(traceparent, tracestate));
  out['recordedtime'] = envelope.recordedtime;
  if (digest !== undefined) out['digest'] = `sha-256:${digest.toString('hex')}`;
  if (frame === undefined) out['data'] = shown.data;
  else out['data_base64'] = frame.toString('base64');
  out['position'] = shown.position;
  if (copyOf !== undefined) out['copyof'] = copyOf;
  return out;
}
