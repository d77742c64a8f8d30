import { applyDecorators, UseFilters } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { KeepErrors } from './keep-errors.js';

/** The transport of SimpulServer: handlers of OnEvent are given to it only, also in an app with other transports. */
export const SIMPUL_TRANSPORT = Symbol('simpul');

/**
 * Marks the one method that handles batches of an event type. It gets the batch and, with `@Ctx()`, a SimpulContext. A handler that throws gets the
 * same batch again: what it throws reaches the EventSource unchanged.
 */
export const OnEvent = (type: string): MethodDecorator =>
  applyDecorators(EventPattern(type, SIMPUL_TRANSPORT) as MethodDecorator, UseFilters(KeepErrors));

/** The batch, as a parameter decorator beside `@Ctx()`. */
export const Batch = (): ParameterDecorator => Payload();
