import 'reflect-metadata';
import { afterEach, expect, it } from '@jest/globals';
import { Controller, Inject, type INestApplication } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { digestOfView, FOLD_PATTERN, openProjector, type OpenProjector } from '#projection';
import { catalogueOfFiles, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage } from '../../test/kit/projection/stage.js';
import { traffic } from '../../test/kit/projection/traffic.js';
import { KeepErrors, OnEvent, SimpulContext, SimpulServer } from './index.js';

const PROJECTOR = Symbol('projector');

@Controller()
class Folds {
  constructor(@Inject(PROJECTOR) private readonly projector: OpenProjector) {}

  @OnEvent(FOLD_PATTERN)
  fold(@Payload() work: never, @Ctx() context: SimpulContext) {
    return this.projector.fold(work, context.signal);
  }
}

let app: INestApplication | undefined;
let stage: Stage;
afterEach(async () => {
  await app?.close();
  await stage.close();
});

it('the projector of the hub folds over the transport that units use, and stops with the app', async () => {
  const all = catalogueOfFiles(2);
  const catalogue = Object.assign(catalogueOfFiles(2), {
    streams: () => all.streams().filter((s) => ['imigrasi.cegah', 'layanan.kasus'].includes(s.name)),
  });
  stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif', 'layanan.kasus-jumlah')).open();
  const projector = await openProjector({ ...stage, catalogue, views: stage.views, now: Date.now });
  await stage.append(traffic(catalogue, 1, 800).filter((x) => stage.streams.some((s) => s.name === x.stream)));
  const module = await Test.createTestingModule({
    controllers: [Folds],
    providers: [
      { provide: PROJECTOR, useValue: projector },
      { provide: APP_FILTER, useClass: KeepErrors },
    ],
  }).compile();
  app = module.createNestApplication({ logger: false });
  app.connectMicroservice({ strategy: new SimpulServer({ source: projector.source }) }, { inheritAppConfig: true });
  await app.init();
  await app.startAllMicroservices();
  await stage.untilCaughtUp();
  for (const view of stage.views)
    expect(await digestOfView(stage.state, view, stage.storage(view))).toBe(await plainDigest(stage.log, all, view));
  await app.close();
  app = undefined;
  expect(projector.held()).toEqual([]);
});
