#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What `vtree __complete` answers, and that bash, zsh and fish make of it what a person
# expects who presses the tab key.
. "$(dirname "$0")/../lib/lib.sh"
for shell in fish zsh; do
  command -v "$shell" >/dev/null || skip "$shell is not installed"
done
library=/usr/share/bash-completion/bash_completion
[ -r "$library" ] || skip 'bash-completion is not installed'
scripts=$VTREE_SOURCE_DIR/completions

v() { run_as_user vtree "$@"; }
mkdir -p tree/usr/bin tree/etc
echo x >tree/usr/bin/hello
echo x >tree/usr/help
v init --quiet >/dev/null 2>&1
v commit apps/hello "$VTREE_TMP/tree" --quiet >/dev/null
v commit apps/other "$VTREE_TMP/tree" --quiet >/dev/null
v commit zoo "$VTREE_TMP/tree" --quiet >/dev/null
v deploy first apps/hello --quiet >/dev/null
repo=$VTREE_USER_HOME/.local/share/vtree/repo

# offers NAME EXPECTED WORD...: those words, without descriptions, separated by spaces.
offers() {
  check_equal "$1" "$(v __complete -- "${@:3}" | cut -f1 | tr '\n' ' ' | sed 's/ $//')" "$2"
}
offers 'a verb' 'undeploy' undep
offers 'nothing of its own' '' __
offers 'a family' 'key' ke
offers 'its verbs' 'trust' key tr
offers 'global options' '--repo= --help --version' -
offers 'help' 'rollback' help rollb
offers 'refs' 'apps/hello apps/other zoo' verify ''
offers 'refs of a delta' 'apps/hello apps/other zoo' delta create zoo@1 ''
offers 'refs by what has been typed' 'apps/hello apps/other' show apps/
offers 'refs, and files' 'zoo :files' mount z
offers 'the second argument' ':directories' mount zoo ''
offers 'no third' '' mount zoo /mnt ''
offers 'one that comes again' 'zoo' fsck apps/hello zo
offers 'no paths for who takes none' '' show zoo:u
offers 'the top of a tree' 'zoo:etc/ zoo:usr/' ls zoo:
offers 'within it' 'zoo:usr/bin/ zoo:usr/help' cat zoo:usr/
offers 'a name in it' 'apps/hello@1:usr/help' cat apps/hello@1:usr/h
offers 'nothing in a file' '' cat zoo:usr/help/
offers 'deployments' 'first' rollback ''
offers 'keys' 'default' key export ''
offers 'options' '--force --foreground' mount --fo
offers 'one with a value' '--key= --key-file=' commit --key
offers 'its value' '--key=default' commit --key=
offers 'the same, apart' 'default' commit --key ''
offers 'words' '--verity=auto' commit --verity=a
offers 'a directory as the value' ':directories' verify --repo=/tm
offers 'arguments behind an option' 'zoo' verify --repo "$repo" z
offers 'options count as none' 'zoo :files' mount -o ro --force z
offers 'behind --' ':files' mount -- --fo
offers 'what can be shared' 'network ipc' run first --share ''
offers 'a place' 'home :directories' run --filesystem=hom first --nofilesystem hom
offers 'refs of a runtime' '--runtime=apps/hello --runtime=apps/other' run first --runtime=ap
offers 'of an override, too' 'zoo' override first --runtime z
v --repo="$VTREE_USER_HOME/far" init --quiet >/dev/null 2>&1
v --repo="$VTREE_USER_HOME/far" commit away "$VTREE_TMP/tree" --quiet >/dev/null
v --repo="$VTREE_USER_HOME/far" deploy second away --quiet >/dev/null
offers 'of where it came from' '--runtime=away' run second --runtime=
v undeploy second --quiet
offers 'another repository' '' --repo=/nonexistent verify ''
offers 'an unknown verb' '' frobnicate ''
check_equal 'with what they are' "$(v __complete -- undep)" \
  $'undeploy\tTake a deployment away, with all its versions'
expect_exit 2 v __complete
expect_exit 0 v __complete -- cat zoo:$'\n'
check 'silent' test ! -s "$VTREE_TMP/stderr"
check 'it is not in the help' test -z "$(v --help | grep complete)"

# Each verb hands over its options before anything else.
v --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\( [a-z]*\)\{0,1\}\)  .*/\1/p' >verbs
check 'there are verbs' test "$(wc -l <verbs)" -gt 30
while read -r -a verb; do
  grep -q '^--help' <<<"$(v __complete -- "${verb[@]}" --hel)" || echo "${verb[*]}"
done <verbs >lacking
check_equal 'every verb has options' "$(cat lacking)" ''

# bash
cat >bash.sh <<SCRIPT
. $library
. $scripts/vtree.bash
COMP_LINE=\$1 COMP_POINT=\${#1} COMP_TYPE=9 COMP_KEY=9
shift
COMP_WORDS=("\$@") COMP_CWORD=\$((\$# - 1))
_vtree
printf '%s\n' "\${COMPREPLY[@]}"
SCRIPT
# in_bash NAME EXPECTED LINE WORD...: the words as readline splits LINE.
in_bash() {
  check_equal "bash: $1" "$(run_as_user bash bash.sh "${@:3}" | tr '\n' ' ' | sed 's/ $//')" "$2"
}
in_bash 'a verb' undeploy 'vtree undep' vtree undep
in_bash 'an option' --foreground 'vtree mount --fore' vtree mount --fore
in_bash 'a value' 'sha256 sha512' 'vtree init --digest=' vtree init --digest =
in_bash 'a ref' 'apps/hello apps/other' 'vtree show ap' vtree show ap
in_bash 'a runtime' 'apps/hello apps/other' 'vtree run first --runtime=ap' vtree run first \
  --runtime = ap
in_bash 'a path' 'usr/bin/ usr/help' 'vtree cat zoo:usr/' vtree cat zoo : usr/
in_bash 'a directory' "$VTREE_TMP/tree" "vtree mount zoo $VTREE_TMP/tr" vtree mount zoo "$VTREE_TMP/tr"
in_bash 'a file' "$VTREE_TMP/tree/usr/help" "vtree seal $VTREE_TMP/tree/usr/h" vtree seal \
  "$VTREE_TMP/tree/usr/h"

# fish
in_fish() {
  check_equal "fish: $1" "$(run_as_user fish --no-config -c "source $scripts/vtree.fish
    complete -C '$3'" | cut -f1 | tr '\n' ' ' | sed 's/ $//')" "$2"
}
in_fish 'a verb' undeploy 'vtree undep'
in_fish 'an option' --foreground 'vtree mount --fore'
in_fish 'a runtime' '--runtime=apps/hello --runtime=apps/other' 'vtree run first --runtime=ap'
in_fish 'a path' 'zoo:usr/bin/ zoo:usr/help' 'vtree cat zoo:usr/'
in_fish 'a deployment' first 'vtree pin '
in_fish 'a directory' --repo=/etc/vtree/ 'vtree refs --repo=/etc/vtre'

# zsh, typed into a terminal; ^G says what the line has become
cat >setup.zsh <<SCRIPT
PS1= fpath=($scripts \$fpath)
autoload -Uz compinit && compinit -D -u
show() { print -r -- "\$BUFFER|" >>$VTREE_TMP/user/typed; BUFFER=; }
zle -N show && bindkey '^G' show && bindkey '^I' complete-word
print ready >$VTREE_TMP/user/ready
SCRIPT
cat >type.zsh <<SCRIPT
zmodload zsh/zpty
wait_for() { local i; for i in {1..200}; do [[ -s \$1 && \$(wc -l <\$1) -ge \$2 ]] && return; sleep 0.05; done; }
zpty z zsh -f -i
zpty -w z "source $VTREE_TMP/setup.zsh"
wait_for $VTREE_TMP/user/ready 1
n=0
for line; do
  zpty -w -n z "\$line"\$'\t\a'
  wait_for $VTREE_TMP/user/typed \$((++n))
done
zpty -d z
SCRIPT
zsh_lines=('vtree undep' 'vtree mount --fore' 'vtree cat zoo:usr/b' 'vtree pin fi'
  'vtree refs --repo=/etc/vtre' 'vtree run first --runtime=zo')
run_as_user env TERM=vt100 zsh -f type.zsh "${zsh_lines[@]}" >/dev/null
check_equal 'zsh: verb, option, path, deployment, directory, runtime' "$(cat user/typed)" \
  "vtree undeploy |
vtree mount --foreground |
vtree cat zoo:usr/bin/|
vtree pin first |
vtree refs --repo=/etc/vtree/|
vtree run first --runtime=zoo |"
