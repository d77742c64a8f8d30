import { Fault } from '#faults';

/** Fault `missing_tool`: its detail names the tool that is not on this machine, and the command that installs it. */
export function missingTool(tool: string, install: string, cause?: unknown): Fault {
  return new Fault('missing_tool', { detail: `${tool} not found. Install it: ${install}`, cause });
}
