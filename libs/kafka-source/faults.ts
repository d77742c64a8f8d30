import { inspect } from 'node:util';
import { innermostMessage, isFault, type Language, type Text } from '#faults';
import { CodecMissing } from '#kafka-records';
import { texts } from './texts.js';

export type KafkaFaultCode =
  | 'kafka_unreachable'
  | 'kafka_not_kafka'
  | 'kafka_login_refused'
  | 'kafka_tls'
  | 'kafka_forbidden'
  | 'kafka_topic_missing'
  | 'kafka_compression'
  | 'kafka_session'
  | 'kafka_failed'
  | 'unknown_type'
  | 'offset_out_of_range';

/** Why the source can never go on: one line with the remedy, and no stack, because the reason is not in the code. */
export class KafkaSourceFault extends Error {
  readonly code: KafkaFaultCode;
  /** The line in both languages, without the code. */
  readonly text: Text;

  constructor(code: KafkaFaultCode, text: Text, language: Language = 'en', cause?: unknown) {
    super(`${code}: ${text.in(language)}`, cause === undefined ? undefined : { cause });
    this.name = 'KafkaSourceFault';
    this.code = code;
    this.text = text;
    this.stack = `${this.name}: ${this.message}`;
  }

  /** Nest and Node print an error with its causes: those are for programs. */
  [inspect.custom](): string {
    return this.stack!;
  }
}

interface KafkaError {
  readonly name?: string;
  readonly type?: string;
  readonly code?: unknown;
}

function* causesOf(error: unknown): Iterable<Error & KafkaError> {
  for (let e = error; e instanceof Error; e = e.cause) yield e;
}

const missingTopic = (e: unknown): string | undefined =>
  isFault(e) && e.code === 'unknown_topic' ? String(e.detail ?? '') : undefined;

/** Whether a topic is forbidden to the user. */
export const isForbiddenTopic = (error: unknown): boolean =>
  [...causesOf(error)].some((e) => e.type === 'TOPIC_AUTHORIZATION_FAILED');

/** Rights that the user lacks: `READ on topic`. */
export function forbidden(rights: readonly string[], language: Language | undefined): KafkaSourceFault {
  return new KafkaSourceFault('kafka_forbidden', texts.no_right({ rights: rights.join(', ') }), language);
}

interface Where {
  readonly brokers: readonly string[];
  readonly group: string;
  readonly language?: Language | undefined;
}

/** The fault that says what to do about an error of kafkajs or of the log. */
export function faultOfKafka(error: unknown, where: Where): KafkaSourceFault {
  if (error instanceof KafkaSourceFault) return error;
  const [code, text] = judged(error, where);
  return new KafkaSourceFault(code, text, where.language, error);
}

function judged(error: unknown, { brokers, group }: Where): [KafkaFaultCode, Text] {
  const at = brokers.join(',');
  const said = innermostMessage(error)
    .replace(/^Connection error: /, '')
    .split('\n', 1)[0]!;
  for (const e of causesOf(error)) {
    const topic = missingTopic(e);
    if (topic !== undefined) return ['kafka_topic_missing', texts.no_topic({ topic })];
    if (e.name === 'KafkaJSSASLAuthenticationError') return ['kafka_login_refused', texts.login_refused({ at })];
    if (e instanceof CodecMissing) return ['kafka_compression', texts.compression({ said: (error as Error).message })];
    if (e.name === 'KafkaJSNotImplemented') return ['kafka_compression', texts.compression({ said })];
    if (e.code === 'NOT_KAFKA') return ['kafka_not_kafka', texts.not_kafka({ said })];
    if (e.code === 'NEEDS_TLS') return ['kafka_tls', texts.tls_needed({ said })];
    switch (e.type) {
      case 'GROUP_AUTHORIZATION_FAILED':
        return ['kafka_forbidden', texts.no_right({ rights: `READ on the group ${group}` })];
      case 'TOPIC_AUTHORIZATION_FAILED':
        return ['kafka_forbidden', texts.some_right()];
      case 'UNKNOWN_TOPIC_OR_PARTITION':
      case 'INVALID_TOPIC_EXCEPTION':
        return ['kafka_topic_missing', texts.some_topic()];
      case 'INVALID_SESSION_TIMEOUT':
        return ['kafka_session', texts.session()];
      case 'INCONSISTENT_GROUP_PROTOCOL':
        return ['kafka_forbidden', texts.other_members({ group })];
      case 'UNSUPPORTED_SASL_MECHANISM':
        return ['kafka_login_refused', texts.login_refused({ at })];
      case 'ILLEGAL_SASL_STATE':
        return ['kafka_login_refused', texts.login_not_asked({ at })];
      default:
    }
  }
  if (/before secure TLS connection|wrong version number|packet length too long/i.test(said))
    return ['kafka_tls', texts.tls_refused({ at, said })];
  if (/certificate|self.signed|SSL|TLS/i.test(said)) return ['kafka_tls', texts.tls_untrusted({ at, said })];
  if (/GroupCoordinator|group coordinator/i.test(said))
    return ['kafka_forbidden', texts.no_right({ rights: `READ on the group ${group}` })];
  const host = /(?:ENOTFOUND|EAI_AGAIN) (\S+)/.exec(said)?.[1];
  if (host !== undefined) return ['kafka_unreachable', texts.no_name({ host })];
  if (/closed/i.test(said)) return ['kafka_unreachable', texts.closed({ at, said })];
  if (isFault(error) || /connect|ECONN|EHOSTUNREACH|timed? ?out/i.test(said))
    return ['kafka_unreachable', texts.no_answer({ at, said })];
  return ['kafka_failed', texts.failed({ said })];
}
