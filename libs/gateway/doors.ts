import { auditView, type Core } from '#core';
import { keysDoor, publishDoor, readDoor, stateDoor, typesDoor, unitsDoor, type Door } from '#http';
import { requestRebuild, type StateReader } from '#projection';
import { PUBLISH_LIMITS, type Publishing, type Refusals } from '#publishing';

export interface DoorParts {
  readonly core: Core;
  readonly publishing: Publishing;
  readonly refusals: Refusals;
  readonly reader: StateReader;
}

/** Every door of a gateway; health comes from the core. */
export function doorsOf({ core, publishing, refusals, reader }: DoorParts): readonly Door[] {
  const { units } = core.units;
  const { catalogue } = core.registry;
  const { log } = core.engine;
  return [
    publishDoor({ publishing, refusals, units }),
    readDoor({ reading: core.reading }),
    stateDoor({
      reader,
      pseudonymKey: core.pseudonymKey,
      subjectBytes: PUBLISH_LIMITS.subjectBytes,
      rebuild: (view, by) => requestRebuild({ generations: core.generations, audit: auditView(core) }, view, by),
    }),
    unitsDoor({ units }),
    typesDoor({ catalogue, units }),
    keysDoor({ access: core.access, units, log }),
  ];
}
