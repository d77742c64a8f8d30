/** What a shell needs to ask `simpul __complete` for words. Each asks the command that stands on the line, so that it works under any path. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# simpul completion bash: put this line into ~/.bashrc
#   source <(simpul completion bash)
_simpul() {
  local IFS=$'\\n'
  # The words as they stand on the line: quotes are part of them.
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") quotes=$'[\\'"\\\\\\\\]'
  COMPREPLY=($("\${COMP_WORDS[0]}" __complete -- "\${words[@]//$quotes/}" 2>/dev/null))
}
complete -o default -F _simpul simpul simpul.mjs
`,
  zsh: `#compdef simpul simpul.mjs
# simpul completion zsh: put this line into ~/.zshrc, behind compinit
#   source <(simpul completion zsh)
_simpul() {
  local -a found
  found=("\${(@f)$("\${words[1]}" __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _simpul simpul simpul.mjs
`,
  fish: `# simpul completion fish > ~/.config/fish/completions/simpul.fish
function __simpul_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c simpul -f -a '(__simpul_complete)'
`,
};
