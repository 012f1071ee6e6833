"""Random histories of several clones, and a judge who knows what must not be lost.

    python -m tests.convergence.run --hosts 3 --rounds 60 --seed 1 [--kill] [--unusual] [--mode …]

oracle.py   what is owed: which bytes have to be found in history, and why
person.py   what people do to files, in every way that a system call allows
owngit.py   what they do with their own git
gate.py     lets a person act (or a power cut happen) just before each git command of a driver
host.py     a clone with its driver, its person and its gate
world.py    a hub and its hosts, and a round
nursery.py  forks verbs, so that they can be killed
deaths.py   rounds in which workers are killed
whole.py    the same people with whole daemons
realtime.py how long until one's own commit is on the hub, when all push all the time
judge.py    looks at files, history, fsck and status after people have gone home
report.py   numbers and words
run.py      modes, and the command line

Nothing here knows how the driver works: right and wrong are read off files, git history, git fsck and
git status alone.
"""
