import { auditView, type Core } from '#core';
import {
  KEYS_DOOR,
  KeysController,
  publishDoor,
  readDoor,
  RECEIPTS_DOOR,
  ReceiptsController,
  REFUSALS_DOOR,
  RefusalsController,
  stateDoor,
  TYPES_DOOR,
  TypesController,
  UNITS_DOOR,
  UnitsController,
  VIEWS_DOOR,
  ViewsController,
  type Door,
  type KeysDoorDeps,
  type ReceiptsDoorDeps,
  type RefusalsDoorDeps,
  type TypesDoorDeps,
  type UnitsDoorDeps,
  type ViewsDoorDeps,
} from '#http';
import { requestRebuild, type StateReader } from '#projection';
import { PUBLISH_LIMITS, type Publishing, type Refusals } from '#publishing';
import { Module, type DynamicModule } from '@nestjs/common';

export interface DoorParts {
  readonly core: Core;
  readonly publishing: Publishing;
  readonly refusals: Refusals;
  readonly reader: StateReader;
}

/** Doors with hot routes of a gateway. */
export function hotDoors({ core, publishing, reader }: DoorParts): readonly Door[] {
  const { catalogue } = core.registry;
  const { pseudonymKey } = core;
  return [
    publishDoor({ publishing }),
    readDoor({ reading: core.reading }),
    stateDoor({ reader, catalogue, pseudonymKey, subjectBytes: PUBLISH_LIMITS.subjectBytes }),
  ];
}

@Module({})
export class GatewayDoors {
  /** All other doors of a gateway; health comes from the core. */
  static of({ core, publishing, refusals, reader }: DoorParts): DynamicModule {
    const { units } = core.units;
    const { catalogue } = core.registry;
    const { generations } = core;
    const views: ViewsDoorDeps = {
      views: reader.views,
      catalogue,
      generations,
      rebuild: (view, by) => requestRebuild({ generations, audit: auditView(core) }, view, by),
    };
    return {
      module: GatewayDoors,
      controllers: [
        ReceiptsController,
        RefusalsController,
        ViewsController,
        UnitsController,
        TypesController,
        KeysController,
      ],
      providers: [
        { provide: RECEIPTS_DOOR, useValue: { publishing, units } satisfies ReceiptsDoorDeps },
        { provide: REFUSALS_DOOR, useValue: { refusals, units } satisfies RefusalsDoorDeps },
        { provide: VIEWS_DOOR, useValue: views },
        { provide: UNITS_DOOR, useValue: { units } satisfies UnitsDoorDeps },
        { provide: TYPES_DOOR, useValue: { catalogue, units } satisfies TypesDoorDeps },
        { provide: KEYS_DOOR, useValue: { access: core.access, units, log: core.engine.log } satisfies KeysDoorDeps },
      ],
    };
  }
}
