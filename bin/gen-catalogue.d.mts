export interface CatalogueType {
  readonly type: string;
  readonly stream: string;
  readonly file: string;
  readonly name: string;
}
export interface CatalogueStream {
  readonly name: string;
  readonly ordering: string;
  readonly types: readonly string[];
}
export function contractFiles(root: string): string[];
export function catalogue(root: string): {
  readonly note: string;
  readonly types: readonly CatalogueType[];
  readonly streams: readonly CatalogueStream[];
};
