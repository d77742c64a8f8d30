import { Fault, isFault, type FaultCode } from '#faults';

/** Fault codes of the errors of Fastify's parsers and router. */
const BY_CODE: Record<string, FaultCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'length_mismatch',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_BAD_URL: 'bad_request_line',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
  FST_ERR_ASYNC_CONSTRAINT: 'bad_request_line',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  ECONNRESET: 'length_mismatch',
};

/** Fault codes of Nest's exceptions, and of errors of Fastify with a code that is not listed above. */
const BY_STATUS: Record<number, FaultCode> = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'request_timeout',
  409: 'conflict',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  431: 'header_too_large',
  503: 'draining',
};

/** The fault of any thrown value: itself, or by Fastify's code, then by status. Total; everything else is `internal`. */
export function faultOf(e: unknown): Fault {
  if (isFault(e)) return e;
  if (typeof e === 'object' && e !== null) {
    const { code, statusCode, status } = e as { code?: unknown; statusCode?: unknown; status?: unknown };
    if (typeof code === 'string' && BY_CODE[code] !== undefined) return new Fault(BY_CODE[code], { cause: e });
    const http = typeof statusCode === 'number' ? statusCode : typeof status === 'number' ? status : 0;
    const known = BY_STATUS[http] ?? (http >= 400 && http < 500 ? 'invalid_request' : undefined);
    if (known !== undefined) return new Fault(known, { cause: e });
  }
  return new Fault('internal', { cause: e });
}
