"""The service on real FAT, exFAT and NFS beside ext4, all of one hub, in a virtual machine whose kernel
has them. script/test-vm runs it; all tests share one boot."""

import pytest

from tests.vm import MARKS, run

pytestmark = MARKS

MOUNTS = """
for kind in vfat exfat; do
    mkdir -p /media/$kind
    truncate -s 64M /var/$kind.img
    mkfs.$kind /var/$kind.img >/dev/null
done
# the options with which a desktop mounts a stick (udisks2)
mine=uid=$(id -u alice),gid=$(id -g alice)
mount -o loop,$mine,shortname=mixed,utf8=1,showexec,flush /var/vfat.img /media/vfat
mount -o loop,$mine,iocharset=utf8,errors=remount-ro /var/exfat.img /media/exfat
install -d -o alice /srv/nfs /media/nfs
systemctl start nfs-server
exportfs -o rw,no_subtree_check,fsid=0 127.0.0.1:/srv/nfs
mount -t nfs4 127.0.0.1:/ /media/nfs
"""

FILE_SYSTEMS = r"""
others='vfat exfat nfs'
LIMIT=600
comes() { # WHAT COMMAND..: says whether the command comes to succeed
    local what=$1 end=$((SECONDS + LIMIT)); shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then echo "no: $what"; return; fi
        sleep 1
    done
    echo "yes: $what"
}
holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
on_hub() { git -C ~/hub.git ls-tree -r main | grep -q "$1"; }
is_told() { autosyncctl status "$1" 2>/dev/null | grep -qF "$2"; }
is_clean() { [ -z "$(git -C "/media/$1/notes" status --porcelain)" ]; }
is_sound() { git -C "/media/$1/notes" fsck --no-dangling >/dev/null 2>&1; }
both_cases() { [ "$(cat "$1"/[cC][aA][sS][eE]* | sort | tr '\n' ' ')" = 'one two ' ]; }
git init -q --bare -b main ~/hub.git
cd ~/notes
echo tool >tool
chmod +x tool
ln -s tool link
git add -A
git commit -qm first
git remote add origin ~/hub.git
git push -qu origin main
cd
echo 'repositories:' >~/.config/autosync/autosync.yaml
for folder in ~ /media/vfat /media/exfat /media/nfs; do
    [ $folder = ~ ] || git clone -q ~/hub.git $folder/notes
    echo "  - {path: $folder/notes, name: ${folder##*/}, commit_after: 500ms, push_after: 500ms}"
done >>~/.config/autosync/autosync.yaml
systemctl --user enable --now autosyncd

for kind in $others; do echo from >/media/$kind/notes/$kind.txt; done
for kind in $others; do comes "$kind: an edit leaves" holds ~/notes/$kind.txt from; done
for kind in $others; do echo back >~/notes/$kind.txt; done
for kind in $others; do
    comes "$kind: an edit comes in" holds /media/$kind/notes/$kind.txt back
    comes "$kind: it is clean" is_clean $kind
    comes "$kind: it is sound" is_sound $kind
done

# names and kinds that some of them can't have
cd ~/notes
echo colon >a:b
echo dot >end.
echo one >case
echo two >CASE
ln -s tool newlink
echo plain >plain.txt
cd
for kind in $others; do
    comes "$kind: the rest comes in" holds /media/$kind/notes/plain.txt plain
    comes "$kind: both cases are there" both_cases /media/$kind/notes
    [ $kind = nfs ] || comes "$kind: a refused name is told" is_told $kind "it can't be put there"
    echo later >/media/$kind/notes/later-$kind.txt
    comes "$kind: the rest goes out" holds ~/notes/later-$kind.txt later
    comes "$kind: what it can't have stays" holds ~/notes/a:b colon
    echo "$kind: differs in: $(git -C /media/$kind/notes status --porcelain | tr '\n' ',')"
done
comes "all: both cases are there" both_cases ~/notes
comes "all: modes and links stay" on_hub '^100755 .*[[:space:]]tool$'
comes "all: a link stays one" on_hub '^120000 .*[[:space:]]newlink$'
git -C ~/hub.git ls-tree -r main

# killed between a commit and its push
for kind in $others; do echo kill >/media/$kind/notes/killed-$kind.txt; done
committed() { git -C /media/$1/notes log --format= --name-only | grep -qx "killed-$1.txt"; }
comes "vfat: a commit is made" committed vfat
systemctl --user kill --signal=KILL autosyncd
for kind in $others; do
    comes "$kind: it goes on after a kill" holds ~/notes/killed-$kind.txt kill
    comes "$kind: no lock stays" test ! -e /media/$kind/notes/.git/index.lock
    comes "$kind: it is sound after a kill" is_sound $kind
done

# of this the client's inotify does not hear
echo server >/srv/nfs/notes/behind.txt
comes "nfs: what the server changes is found" holds ~/notes/behind.txt server
# a name whose last dot FAT leaves away is no second file, also after a look through the whole tree
comes "all: a dot at the end makes no second file" test ! -e ~/notes/end
journalctl --user -u autosyncd -o cat
autosyncctl status
for folder in ~ /media/*; do ls -lbA $folder/notes; done
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the script has said: `yes: WHAT` or `no: WHAT` of all that should come."""
    return run(tmp_path_factory.mktemp("vm"), FILE_SYSTEMS, as_root=MOUNTS)


def came(said: str, kind: str, *what: str) -> None:
    missing = [one for one in what if f"yes: {kind}: {one}\n" not in said]
    assert not missing, said


each = pytest.mark.parametrize("kind", ["vfat", "exfat", "nfs"])


@each
def test_edits_go_out_and_come_in(said: str, kind: str) -> None:
    came(said, kind, "an edit leaves", "an edit comes in", "it is clean", "it is sound")


@each
def test_what_it_can_not_have_keeps_nothing_else_back(said: str, kind: str) -> None:
    """A colon, names that differ in case alone, a link; what waits is not taken for deleted."""
    came(said, kind, "the rest comes in", "both cases are there", "the rest goes out")
    came(said, kind, "what it can't have stays")
    came(said, "all", "both cases are there", "modes and links stay", "a link stays one")
    came(said, "all", "a dot at the end makes no second file")
    if kind != "nfs":
        came(said, kind, "a refused name is told")


@each
def test_killed_between_a_commit_and_its_push(said: str, kind: str) -> None:
    came(said, kind, "it goes on after a kill", "no lock stays", "it is sound after a kill")


def test_what_an_nfs_server_changes_is_found_by_looking(said: str) -> None:
    came(said, "nfs", "what the server changes is found")
    assert "/media/nfs/notes is on nfs4, where changes made elsewhere are not announced" in said
