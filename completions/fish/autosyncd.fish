# fish completion for autosyncd(8)

complete -c autosyncd -f
complete -c autosyncd -s h -l help -d 'Show the options'
complete -c autosyncd -l version -d 'Print the version'
complete -c autosyncd -l config -r -F -d 'Read this instead of the main file'
complete -c autosyncd -l etc -x -a '(__fish_complete_directories)' -d 'Where autosync.d is looked for'
complete -c autosyncd -l check -d 'Show what the configuration comes to'
complete -c autosyncd -l origin -d 'With --check: where each setting was made'
complete -c autosyncd -l json -d 'With --check: print JSON'
complete -c autosyncd -l verbose -d 'Tell the journal more'
