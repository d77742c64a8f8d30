import { CORE, CoreModule, type Core } from '#core';
import { readHubSettings } from '#settings';
import type { Type } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';

/** Settings of an embedded hub that logs nothing, in a data folder of its own. */
export const silentHub = (dir: string): Record<string, string> => ({
  SIMPUL_DATA: dir,
  SIMPUL_LOG_LEVEL: 'silent',
  SIMPUL_PARTITIONS: '2',
});

/** The modules of a hub app for a test, which may override providers. After `compile()`, `init()` opens the roles and `close()` closes everything. */
export function hubModule(dir: string, ...roles: Type[]): TestingModuleBuilder {
  const settings = readHubSettings(silentHub(dir));
  return Test.createTestingModule({ imports: [CoreModule.forRoot({ name: 'hub', settings }), ...roles] });
}

export interface RunningHub {
  readonly core: Core;
  close(): Promise<void>;
}

/** Compiles and opens the modules of a hub. */
export async function openHub(dir: string, ...roles: Type[]): Promise<RunningHub> {
  const module = await hubModule(dir, ...roles).compile();
  await module.init();
  return { core: module.get<Core>(CORE), close: () => module.close() };
}
