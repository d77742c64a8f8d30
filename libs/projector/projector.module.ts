import { Module } from '@nestjs/common';
import { Alarms } from './alarms.js';
import { UnitFolder } from './unit-folder.js';
import { ViewFolder } from './view-folder.js';

/** The role projector: folds streams into views, and changes of units into the table of units. */
@Module({ providers: [Alarms, ViewFolder, UnitFolder] })
export class ProjectorModule {}
