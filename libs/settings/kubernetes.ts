const OF_A_SERVICE =
  /^SIMPUL(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const ADDRESS = /^(tcp|udp|sctp):\/\//;

/**
 * Whether Kubernetes has set the variable for a Service whose name begins with `simpul` (service links: `SIMPUL_SERVICE_HOST`, `SIMPUL_PORT=tcp://…`,
 * `SIMPUL_REDIS_PORT_6379_TCP_ADDR`). Such a variable is no setting: a pod beside a Service must start as it does without one.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
export function isServiceLink(name: string, value: string | undefined): boolean {
  return OF_A_SERVICE.test(name) || (/^SIMPUL(_[A-Z0-9_]+)?_PORT$/.test(name) && ADDRESS.test(value ?? ''));
}
