# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# bash: what may come next, `vtree __complete` knows (see vtree(1), SHELL COMPLETION).

_vtree() {
  local cur words cword line option='' start=''
  _get_comp_words_by_ref -n := cur words cword
  COMPREPLY=()
  case $cur in --*=*) option=${cur%%=*}= ;; esac
  while IFS= read -r line; do
    case $line in
      :files | :directories)
        [ "$line" = :files ] && line=-f || line=-d
        compopt -o filenames 2>/dev/null
        while IFS= read -r line; do
          COMPREPLY+=("$option$line")
        done < <(compgen "$line" -- "${cur#"$option"}")
        ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${words[0]}" __complete -- "${words[@]:1:cword}" 2>/dev/null)
  case "${COMPREPLY[*]-}" in *[/:=]) compopt -o nospace 2>/dev/null ;; esac
  # readline replaces only what stands behind the last of these.
  case $cur$COMP_WORDBREAKS in *[:=]*:*) start=${cur%"${cur##*[:=]}"} ;; esac
  COMPREPLY=("${COMPREPLY[@]#"$start"}")
}
complete -F _vtree vtree
