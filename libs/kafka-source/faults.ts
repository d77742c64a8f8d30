import { innermostMessage, isFault } from '#faults';

export type KafkaFaultCode =
  | 'kafka_unreachable'
  | 'kafka_login_refused'
  | 'kafka_tls'
  | 'kafka_forbidden'
  | 'kafka_topic_missing'
  | 'kafka_compression'
  | 'kafka_session'
  | 'kafka_failed'
  | 'unknown_type'
  | 'offset_out_of_range';

/** Why the source can never go on, in one line with the remedy. */
export class KafkaSourceFault extends Error {
  readonly code: KafkaFaultCode;

  constructor(code: KafkaFaultCode, line: string, cause?: unknown) {
    super(`${code}: ${line}`, cause === undefined ? undefined : { cause });
    this.name = 'KafkaSourceFault';
    this.code = code;
  }
}

interface KafkaError {
  readonly name?: string;
  readonly type?: string;
}

function* causesOf(error: unknown): Iterable<Error & KafkaError> {
  for (let e = error; e instanceof Error; e = e.cause) yield e;
}

const missingTopic = (e: unknown): string | undefined =>
  isFault(e) && e.code === 'unknown_topic' ? String(e.detail ?? '') : undefined;

/** The fault that says what to do about an error of kafkajs or of the log. */
export function faultOfKafka(
  error: unknown,
  { brokers, group }: { readonly brokers: readonly string[]; readonly group: string },
): KafkaSourceFault {
  if (error instanceof KafkaSourceFault) return error;
  const at = brokers.join(',');
  const said = innermostMessage(error);
  const fault = (code: KafkaFaultCode, line: string): KafkaSourceFault => new KafkaSourceFault(code, line, error);
  for (const e of causesOf(error)) {
    if (e.name === 'KafkaJSSASLAuthenticationError')
      return fault(
        'kafka_login_refused',
        `${at} refuses the login; check sasl.username, sasl.password and sasl.mechanism`,
      );
    if (e.type === 'GROUP_AUTHORIZATION_FAILED')
      return fault('kafka_forbidden', `no right to the group ${group}; the Kafka user needs READ on it`);
    if (e.type === 'TOPIC_AUTHORIZATION_FAILED')
      return fault(
        'kafka_forbidden',
        'no right to a topic; the Kafka user needs READ and DESCRIBE on its streams, on _schemas and on _simpul.settled',
      );
    if (e.name === 'KafkaJSNotImplemented')
      return fault('kafka_compression', `${said}; no gateway writes with it: remove the records of the other writer`);
    const missing = missingTopic(e);
    if (missing !== undefined)
      return fault(
        'kafka_topic_missing',
        `there is no topic ${missing} that this user may see; check brokers, prefix (SIMPUL_KAFKA_PREFIX of the hub) and the rights of the user`,
      );
    if (e.type === 'UNKNOWN_TOPIC_OR_PARTITION' || e.type === 'INVALID_TOPIC_EXCEPTION')
      return fault('kafka_topic_missing', 'a topic is not there; check prefix (SIMPUL_KAFKA_PREFIX of the hub)');
    if (e.type === 'INVALID_SESSION_TIMEOUT')
      return fault('kafka_session', 'sessionMs is outside group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers'); // prettier-ignore
    if (e.type === 'INCONSISTENT_GROUP_PROTOCOL')
      return fault(
        'kafka_forbidden',
        `members of another program are in the group ${group}; give this app a group of its own`,
      );
  }
  if (/certificate|self.signed|SSL|TLS|wrong version number/i.test(said))
    return fault('kafka_tls', `${at}: ${said}; check ssl, and ssl.ca for a private authority`);
  if (/GroupCoordinator|group coordinator/i.test(said))
    return fault('kafka_forbidden', `no coordinator for the group ${group}; the Kafka user needs READ on it`);
  if (isFault(error) || /connect|ECONN|ENOTFOUND|EHOSTUNREACH|timed? ?out|closed/i.test(said))
    return fault(
      'kafka_unreachable',
      `no broker answers at ${at}: ${said}; check brokers, and ssl when the port needs it`,
    );
  return fault('kafka_failed', said);
}
