import type { HubRole } from '#core';
import type { EventSource } from '#nest-kit';
import { FoldModule } from './fold.module.js';
import { openProjectorRole } from './projector.js';

export { openProjectorRole, type ProjectorRole } from './projector.js';

export const PROJECTOR: HubRole = {
  name: 'projector',
  async open(core) {
    const role = await openProjectorRole(core);
    return { source: role.projector.source as EventSource, module: FoldModule.of(role), close: () => role.close() };
  },
};
