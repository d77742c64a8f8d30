import {
  Catch,
  createParamDecorator,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
} from '@nestjs/common';
import { RouteConfig as FastifyRouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ZodType } from 'zod';
import { callerOf, checkAccess } from './admission.js';
import { readBody, readQuery } from './read-input.js';
import { sendFault, type ErrorPathDeps } from './send-fault.js';
import type { RouteConfig as Declaration } from './types.js';

/** What a controller's route says of itself: read by admission, by the parameter decorators below and by /openapi.json. */
export const RouteConfig = (config: Declaration): MethodDecorator => FastifyRouteConfig(config);

const requestOf = (context: ArgumentsHost): FastifyRequest => context.switchToHttp().getRequest<FastifyRequest>();

function declared(schema: ZodType | undefined, what: string): ZodType {
  if (schema === undefined) throw new Error(`the route declares no ${what}: add it to @RouteConfig`);
  return schema;
}

/** The query parameters, by the schema of the route's declaration. Fault invalid_query. A route that declares a query must take this parameter. */
export const CheckedQuery = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const req = requestOf(context);
  return readQuery(req, declared(req.routeOptions.config.query, 'query'));
});

/**
 * The JSON body, by the schema of the route's declaration; or by the schema that the given function chooses for it, where one of several
 * forms is meant and only its problems should be named. Faults invalid_json …, invalid_request, unsupported_media_type.
 */
export const CheckedBody = createParamDecorator(
  (choose: ((given: unknown) => ZodType) | undefined, context: ExecutionContext) => {
    const req = requestOf(context);
    return readBody(req, choose ?? declared(req.routeOptions.config.body, 'body'));
  },
);

/** Who sends the request. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  callerOf(requestOf(context)),
);

/** Nest's side of admission: a controller runs only for a caller that its declaration lets in. Admission has decided the same before the body was read. */
export class CallerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const req = requestOf(context);
    checkAccess(req, req.routeOptions.config);
    return true;
  }
}

/** Sends what controllers and Nest itself throw (404) along the one error path. */
@Catch()
export class FaultFilter implements ExceptionFilter {
  constructor(private readonly deps: ErrorPathDeps) {}

  catch(e: unknown, host: ArgumentsHost): void {
    void sendFault(this.deps, requestOf(host), host.switchToHttp().getResponse<FastifyReply>(), e);
  }
}
