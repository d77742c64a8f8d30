const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** True for a W3C `traceparent`: lower-case hex, no all-zero ids, version not ff. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** True for a W3C `tracestate`: at most 512 characters and 32 members `key=value`. */
export function isTracestate(text: string): boolean {
  if (text.length > 512) return false;
  const members = text.split(',').map((m) => m.trim());
  return members.length <= 32 && members.every((m) => MEMBER.test(m));
}

export interface Trace {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** The valid part of a W3C trace context. `tracestate` is dropped when `traceparent` is absent or invalid, because it has no meaning alone. */
export function traceOf(traceparent: unknown, tracestate: unknown): Trace {
  if (typeof traceparent !== 'string' || !isTraceparent(traceparent)) return {};
  if (typeof tracestate !== 'string' || !isTracestate(tracestate)) return { traceparent };
  return { traceparent, tracestate };
}
