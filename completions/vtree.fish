# SPDX-License-Identifier: LGPL-2.1-or-later
# fish: what may come next, `vtree __complete` knows (see vtree(1), SHELL COMPLETION).

function __vtree_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l option (string match -r -- '^--[^=]*=' "$current")
    set -l value (string replace -r -- '^--[^=]*=' '' "$current")
    set -l program $words[1]
    set -e words[1]
    for line in ($program __complete -- $words "$current" 2>/dev/null)
        switch $line
            case ':files'
                for path in (__fish_complete_path "$value")
                    echo "$option$path"
                end
            case ':directories'
                for path in (__fish_complete_directories "$value" '')
                    echo "$option$path"
                end
            case '*'
                echo $line
        end
    end
end

complete -c vtree -f -a '(__vtree_complete)'
