import type { Fault } from '#faults';
import { statusOf } from './status.js';

/** The media type of Confluent's schema registry, also of its errors. */
export const REGISTRY_TYPE = 'application/vnd.schemaregistry.v1+json';

/** The whole of a registry error: its clients know no other members. */
export interface RegistryError {
  readonly error_code: number;
  readonly message: string;
}

/** `error_code` is the HTTP status; `message` is English, as the clients of the registry print it. Never holds a stack or a cause. */
export function registryErrorOf(fault: Fault): RegistryError {
  const status = statusOf(fault.code);
  const { detail } = fault;
  return { error_code: status, message: detail === undefined || status === 500 ? fault.row.title.en : detail };
}
