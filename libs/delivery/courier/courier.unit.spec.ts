import { afterEach, describe, expect, it } from '@jest/globals';
import type { AssignedPartition, GroupMember } from '#log';
import { SUBSCRIPTIONS_TOPIC } from '#subscriptions';
import { until } from '../../../test/kit/projection/stage.js';
import type { PartitionOwner } from '../owners.js';
import { Courier, type CourierDeps } from './courier.js';
import { DeskStage } from './desk.fixture.js';

const OURS = 'http://127.0.0.1:1';
const P = 3;

describe('a courier', () => {
  let stage!: DeskStage;
  let courier!: Courier;
  afterEach(async () => {
    await courier.close();
    await stage.subscriptions.close();
  });

  const claims = new Map<number, PartitionOwner>();
  const reclaimed: number[] = [];
  let isSure = true;
  let claim: (epoch: bigint, address: string) => void;

  const owning = async (epoch: bigint): Promise<void> => {
    stage = await DeskStage.open();
    isSure = true;
    reclaimed.length = 0;
    claims.set(P, { address: OURS, epoch });
    let listener: (partition: number) => void = () => undefined;
    claim = (next, address) => {
      claims.set(P, { address, epoch: next });
      listener(P);
    };
    let member!: GroupMember;
    const start = (of: bigint): Promise<unknown> =>
      Promise.resolve(
        member.start({ topic: SUBSCRIPTIONS_TOPIC, partition: P, topicId: 'a', epoch: of } as AssignedPartition),
      );
    const deps = {
      ...stage.deps(epoch),
      address: OURS,
      owners: {
        of: (partition: number) => claims.get(partition),
        onClaim: (of: typeof listener) => {
          listener = of;
          return () => (listener = () => undefined);
        },
      },
    } as unknown as CourierDeps;
    Object.assign(deps.log, {
      join: async (_group: string, _topics: string[], of: GroupMember) => {
        member = of;
        return {
          get isSure() {
            return isSure;
          },
          reclaim: async (partition: number) => {
            reclaimed.push(partition);
            const next = claims.get(partition)!.epoch + 1n;
            claim(next, OURS);
            void start(next);
            return { kind: 'claimed', epoch: next, skipped: 0n };
          },
          leave: () => Promise.resolve(),
        };
      },
    });
    courier = new Courier(deps);
    await courier.join();
    await start(epoch);
  };

  it('claims a partition again when the log takes an old claim of another process after its own', async () => {
    await owning(7n);
    expect(courier.desk(P)?.epoch).toBe(7n);
    claim(8n, 'http://127.0.0.1:2');
    await until(() => courier.desk(P)?.epoch === 9n);
    expect(reclaimed).toEqual([P]);
  });

  it('does not fight for a partition while the group may have given it to another one, and sees to it when it is sure', async () => {
    await owning(7n);
    isSure = false;
    claim(8n, 'http://127.0.0.1:2');
    expect(reclaimed).toEqual([]);
    isSure = true;
    await until(() => courier.desk(P)?.epoch === 9n);
    expect(reclaimed).toEqual([P]);
  });

  it('takes claims of its own, and older ones, for what they are', async () => {
    await owning(7n);
    claim(8n, `${OURS}/`.slice(0, -1));
    claim(6n, 'http://127.0.0.1:2');
    expect(reclaimed).toEqual([]);
    expect(courier.desk(P)?.epoch).toBe(7n);
  });
});
