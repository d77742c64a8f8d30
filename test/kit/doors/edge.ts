import { EDGE, openHttp, type EdgeParts, type HttpOptions, type HttpServer } from '#http';
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';

@Module({})
class EdgeModule {}

type NestParts = Pick<ModuleMetadata, 'imports' | 'controllers' | 'providers'>;

/** A logger that writes nothing. */
export const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A Nest module for an HTTP server. Parts that are not given: no doors, no valid key, no log lines. */
export function edgeModule(parts: Partial<EdgeParts>, nest: NestParts = {}): DynamicModule {
  const edge: EdgeParts = { authenticate: () => undefined, doors: [], log: SILENT, ...parts };
  return {
    module: EdgeModule,
    imports: nest.imports ?? [],
    controllers: nest.controllers ?? [],
    providers: [{ provide: EDGE, useValue: edge }, ...(nest.providers ?? [])],
  };
}

/** Starts an HTTP server with these parts on a free port. */
export function serveEdge(
  parts: Partial<EdgeParts>,
  nest?: NestParts,
  options: Partial<HttpOptions> = {},
): Promise<HttpServer> {
  return openHttp(edgeModule(parts, nest), { port: 0, ...options });
}
