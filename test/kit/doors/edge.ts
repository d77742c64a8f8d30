import { EDGE, openHttp, type EdgeParts, type HttpServer } from '#http';
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';

@Module({})
class EdgeModule {}

/** Nothing is logged. */
export const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A module that serves these doors: no doors, no valid key and no log lines unless given. */
export function edgeModule(
  parts: Partial<EdgeParts>,
  nest: Pick<ModuleMetadata, 'controllers' | 'providers'> = {},
): DynamicModule {
  const edge: EdgeParts = { authenticate: () => undefined, doors: [], log: SILENT, ...parts };
  return {
    module: EdgeModule,
    controllers: nest.controllers ?? [],
    providers: [{ provide: EDGE, useValue: edge }, ...(nest.providers ?? [])],
  };
}

/** A server of these doors on a free port. */
export function serveEdge(
  parts: Partial<EdgeParts>,
  nest?: Pick<ModuleMetadata, 'controllers' | 'providers'>,
): Promise<HttpServer> {
  return openHttp(edgeModule(parts, nest), { port: 0 });
}
