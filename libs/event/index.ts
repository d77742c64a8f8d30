export { fitsCheck, hasCheck } from './attribute-check.js';
export {
  FRAME_BYTES,
  H_DIGEST,
  H_RECORDED,
  H_TRACEPARENT,
  H_UNIT,
  schemaIdOf,
  toHeaders,
  type Envelope,
  type Header,
  type HubHeaders,
} from './envelope.js';
export { headerText } from './header-text.js';
export { HUB_NAMES, OPEN_EXTENSIONS, SIGNATURE, STATED_BY, TEST_EVENT } from './hub-names.js';
export { digestOf, murmur2, partitionOf, pseudonymOf, streamPseudonymKey } from './key.js';
export { dataschemaUrn, isTypeName, parseDataschema, parseSource, sourceUrn, streamOf, type Source } from './names.js';
export { HUB_ZONE, localDay, todayOf, type Today } from './local-day.js';
export { isTime, timeMsOf } from './time.js';
export { isTraceparent, isTracestate, traceOf, type Trace } from './trace.js';
export { fromHeaders, HeaderPlaces, type ReadEnvelope } from './read-envelope.js';
export { shownEvent, type Shown } from './shown-event.js';
export { formatPosition, MAX_OFFSET, parsePosition, partitionKey, type Position } from './position.js';
