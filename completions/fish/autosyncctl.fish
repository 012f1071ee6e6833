# fish completion for autosyncctl(1)

function __autosyncctl_repositories # the names that the daemon knows, one a line
    autosyncctl status --json 2>/dev/null | python3 -I -c '
import json, sys
for line in sys.stdin:
    for repository in json.loads(line)["repositories"]:
        print(repository["name"])' 2>/dev/null
end

function __autosyncctl_verb # whether the verb is one of these; without any: whether there is none yet
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; and continue
        contains -- $word $argv
        return
    end
    test (count $argv) = 0
end

complete -c autosyncctl -f
complete -c autosyncctl -s h -l help -d 'Show the options'
complete -c autosyncctl -n __autosyncctl_verb -l version -d 'Print the version'
complete -c autosyncctl -n 'not __autosyncctl_verb' -l json -d 'Print JSON'

complete -c autosyncctl -n __autosyncctl_verb -a status -d 'What each repository is doing'
complete -c autosyncctl -n __autosyncctl_verb -a sync -d 'Commit and sync now'
complete -c autosyncctl -n __autosyncctl_verb -a pause -d 'Touch nothing for a while'
complete -c autosyncctl -n __autosyncctl_verb -a resume -d 'End a pause, or go on after a halt'
complete -c autosyncctl -n __autosyncctl_verb -a reload -d 'Read the configuration again'
complete -c autosyncctl -n __autosyncctl_verb -a add -d 'Keep a folder in sync'
complete -c autosyncctl -n __autosyncctl_verb -a clone -d 'Clone a repository and keep it in sync'
complete -c autosyncctl -n __autosyncctl_verb -a remove -d 'No longer keep a folder in sync'
complete -c autosyncctl -n __autosyncctl_verb -a unpush -d 'Take a refused file out of the push'
complete -c autosyncctl -n __autosyncctl_verb -a doctor -d 'Find out what is in the way'
complete -c autosyncctl -n __autosyncctl_verb -a install-unit -d 'Write the systemd unit'
complete -c autosyncctl -n __autosyncctl_verb -a demo -d 'Two machines in a temporary folder'

complete -c autosyncctl -n '__autosyncctl_verb status sync pause resume remove' \
    -a '(__autosyncctl_repositories)' -d Repository
complete -c autosyncctl -n '__autosyncctl_verb add' -a '(__fish_complete_directories)'
complete -c autosyncctl -n '__autosyncctl_verb clone unpush' -F

complete -c autosyncctl -n '__autosyncctl_verb status' -l watch -d 'Go on until Ctrl-C'
complete -c autosyncctl -n '__autosyncctl_verb pause' -l for -x -a '30m 1h 2h 1d' -d 'How long'
complete -c autosyncctl -n '__autosyncctl_verb add unpush' -l dry-run -d 'Change nothing'
complete -c autosyncctl -n '__autosyncctl_verb add clone unpush' -l yes -d 'Do not ask'
complete -c autosyncctl -n '__autosyncctl_verb add clone' -l name -x -d 'What to call it'
complete -c autosyncctl -n '__autosyncctl_verb add clone' -l include -r -F -d 'Take in a held file'
complete -c autosyncctl -n '__autosyncctl_verb install-unit' -l remove -d 'Take it away again'
complete -c autosyncctl -n '__autosyncctl_verb demo' -l once -d 'End after the show'
