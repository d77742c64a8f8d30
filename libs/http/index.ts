export { HTTP_LIMITS, openHttp, type HttpOptions, type HttpServer } from './open.js';
export type { Door, Edge, HttpLimits, Logger, ProblemDocument, RouteConfig } from './types.js';
export { decodeCursor, decodeStreamCursor, encodeCursor, encodeStreamCursor, type StreamCursor } from './cursor.js';
export { languageOf, problemOf, PROBLEM_TYPE, type Language } from './problem.js';
export { mediaType, pointer } from './read-input.js';
export { formatEvent, type Sse, type SseEvent, type SseOptions } from './sse.js';
export { openapiOf } from './openapi.js';
