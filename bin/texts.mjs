// What the scripts say before there is a build, by code and arguments: the same form as the texts.ts of a room. Node 20 and no packages.
const TEXTS = {
  npm_missing: {
    id: 'npm tidak ditemukan. Pasang Node.js 24 bersama npm: https://nodejs.org',
    en: 'npm was not found. Install Node.js 24 with npm: https://nodejs.org',
  },
  node_too_old: {
    id: 'Perlu Node.js {needed} atau lebih baru (di sini {version}). Pasang dari https://nodejs.org',
    en: 'Node.js {needed} or newer is needed (here {version}). Install it from https://nodejs.org',
  },
  node_not_downloaded: {
    id: 'Node.js {version} tidak dapat diambil. Periksa sambungan ke npm, atau pasang Node.js 24 sendiri.',
    en: 'Node.js {version} could not be downloaded. Check the network connection to npm, or install Node.js 24 yourself.',
  },
  folder_unwritable: {
    id: 'Map {folder} tidak dapat ditulis ({code}). Beri hak tulis pada map ini.',
    en: 'The folder {folder} is not writable ({code}). Make it writable.',
  },
  folder_not_created: {
    id: 'Map {folder} tidak dapat dibuat ({code}). Beri hak tulis pada map proyek.',
    en: 'The folder {folder} cannot be created ({code}). Make the project folder writable.',
  },
  installing: { id: 'memasang paket', en: 'installing packages' },
  not_installed: {
    id: 'Paket tidak dapat dipasang. Periksa sambungan ke npm.',
    en: 'Packages could not be installed. Check the network connection to npm.',
  },
  building: { id: 'membangun', en: 'building' },
  build_failed: {
    id: 'Pembangunan gagal; lihat baris di atas.',
    en: 'The build failed; see the lines above.',
  },
};

const language = /^en/i.test(process.env.SIMPUL_LANG || process.env.LC_ALL || process.env.LANG || '') ? 'en' : 'id';

/** The text of a code in the language of the terminal. */
export function say(code, args = {}) {
  return TEXTS[code][language].replace(/\{(\w+)\}/g, (whole, name) => String(args[name]));
}
