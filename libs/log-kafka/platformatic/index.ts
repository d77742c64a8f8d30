/** All that this room uses of @platformatic/kafka: no file outside this folder imports it. */
export { codecs } from './client.js';
export { ClusterClient } from './cluster.js';
export { bodyOf, Connections, fetchBody, type BrokerLine, type ProducerIdentity } from './connections.js';
export { brokerError, hasCode, hasNetworkError, isUnknownTopic, networkError } from './errors.js';
export { Transactor } from './transactions.js';
