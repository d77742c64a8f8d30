import { FAULTS, type FaultClass, type FaultCode, type FaultRow } from '#faults';

/** The HTTP status of each class of faults. The types ask for a new class to be added here. */
const CLASS_STATUS: Readonly<Record<FaultClass, number>> = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  timeout: 408,
  conflict: 409,
  gone: 410,
  too_large: 413,
  invalid: 422,
  undecodable: 422,
  throttled: 429,
  internal: 500,
  unusable: 500,
  corrupt: 500,
  unavailable: 503,
};

/** Codes for which HTTP has a status of its own. */
const CODE_STATUS: Readonly<Partial<Record<FaultCode, number>>> = {
  method_not_allowed: 405,
  not_acceptable: 406,
  unknown_cursor: 412,
  version_changed: 412,
  uri_too_long: 414,
  unsupported_media_type: 415,
  expectation_failed: 417,
  not_owner: 421,
  version_missing: 428,
  header_too_large: 431,
};

/** The HTTP status that a door answers for a fault of this code. */
export function statusOf(code: FaultCode, row: FaultRow = FAULTS[code]): number {
  return CODE_STATUS[code] ?? CLASS_STATUS[row.class];
}
