// How many times longer than alone a process on this machine takes now for what needs the CPU: the greatest wall time for each ms of CPU time, of small
// pieces of work. Arguments: seconds.
const end = performance.now() + Number(process.argv[2]) * 1_000;
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};
let slowness = 1;
while (performance.now() < end) {
  const [wall, cpu] = [performance.now(), cpuMs()];
  while (cpuMs() - cpu < 20);
  slowness = Math.max(slowness, (performance.now() - wall) / (cpuMs() - cpu));
  await new Promise((resolve) => setTimeout(resolve, 150));
}
process.stdout.write(String(slowness));
