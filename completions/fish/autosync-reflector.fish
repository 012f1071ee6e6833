# fish completion for autosync-reflector(8)

complete -c autosync-reflector -f
complete -c autosync-reflector -s h -l help -d 'Show the options'
complete -c autosync-reflector -l version -d 'Print the version'
complete -c autosync-reflector -l listen -x -d 'Where to listen, HOST:PORT'
complete -c autosync-reflector -l cert -r -F -d 'Certificate chain (PEM)'
complete -c autosync-reflector -l key -r -F -d 'Its private key (PEM)'
complete -c autosync-reflector -l max-connections -x -d 'How many connections there may be'
complete -c autosync-reflector -l max-per-address -x -d 'How many of them from one address'
