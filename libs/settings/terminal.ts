import { homedir } from 'node:os';
import { join } from 'node:path';

/** Language of texts for people: SIMPUL_LANG, else LC_ALL or LANG beginning with `en`, else Indonesian. */
export function readLanguage(env: NodeJS.ProcessEnv = process.env): 'id' | 'en' {
  return /^en/i.test(env['SIMPUL_LANG'] || env['LC_ALL'] || env['LANG'] || '') ? 'en' : 'id';
}

/** Environment of a command-line process: only this room reads `process.env`. */
export function readTerminal(env: NodeJS.ProcessEnv = process.env): {
  readonly color: boolean;
  readonly contextUrl: string | undefined;
  readonly contextKey: string | undefined;
  /** A hub by its name. */
  readonly contextName: string | undefined;
  /** Folder of the user's settings for this program. */
  readonly configDir: string;
  readonly editor: string;
  /** Data folder of the hub on this machine. */
  readonly dataDir: string | undefined;
  readonly engine: string | undefined;
  readonly kafka: string | undefined;
} {
  return {
    color: env['NO_COLOR'] === undefined && env['TERM'] !== 'dumb',
    contextUrl: env['SIMPUL_URL'] || undefined,
    contextKey: env['SIMPUL_KEY'] || undefined,
    contextName: env['SIMPUL_CTX'] || undefined,
    configDir: join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'simpul'),
    editor: env['VISUAL'] || env['EDITOR'] || 'vi',
    dataDir: env['SIMPUL_DATA'] || undefined,
    engine: env['SIMPUL_ENGINE'] || undefined,
    kafka: env['SIMPUL_KAFKA'] || undefined,
  };
}
