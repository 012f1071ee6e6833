"""Pure: what can happen, each thing with an id of its own.

The ids are journald's MESSAGE_ID=: `journalctl MESSAGE_ID=…` finds every occurrence of a thing, and
`journalctl -x` shows what systemd/autosyncd.catalog says about it. They never change; a thing of
another kind gets a new one (systemd.journal-fields(7), `journalctl --new-id128`).
"""

from enum import Enum


class Event(Enum):
    """What happened, as MESSAGE_ID=."""

    # what goes well
    NOTE = "1ac10dc5da13474ba58f992955047bc9"
    STARTED = "61bc7fde5c84460caa7518aa43c4184d"
    STOPPED = "372dfd0d8f914ab594430ef40235b3a3"
    RELOADED = "0082bffa505b4edc9a658616faf80141"
    COMMITTED = "cea51e2227de4921b6b1498bc3bdd4db"
    PUSHED = "486a389b09cb406696dffe2fb0e2d276"
    PULLED = "2bf317c6c8d140f2a9e70cdfd915f6f9"
    SOLVED = "1e83c64d204245fa898ffae741665058"
    PAUSED = "e08dc918b7a049d7ad5b185a0ccea16d"
    RESUMED = "3d0e273c42e647ee8f7a2b255b932005"
    ADDED = "76fbb9a2ab7d48a5911b5a5fdc54172a"
    REMOVED = "ba14e37202814a28af2703f7d1b66070"
    TRANSPORT = "17439eb8b671417fb0d181c09718bb5e"

    # the service
    PROBLEM = "4c91de11a72a4fd19e7f15bad319dc9c"
    NOT_STARTED = "054c0f4979994912b42d73d9496d7e2f"
    CONFIG_PROBLEM = "0ccd80a47b864280922f47ad6cd34856"
    CHILD_DIED = "5c1094294ae94aafa9775e4b39a7bf98"
    STUCK = "89551402dd9c403aa48e37f83ead8c0e"
    BUG = "7e4e0724e1134ae9ac7a3476569f6952"
    WATCH_LIMIT = "01bb63e6e74649f099f40156ec2ee05c"
    FILE_LIMIT = "8b504524d7854edab5474f6339973a7c"
    NO_BUS = "3e985154c8cf454b9cd3647ca21d22c1"
    TRANSPORT_DOWN = "856fe6c9137443b8a09f2c02825ee4d1"

    # it asks before it goes on
    HALTED = "390d224f51b240d192035d4bf8c9c626"
    MASS_DELETION = "97f5681f101142a6939ff729657d385f"
    MASS_MODIFICATION = "7aa98f3cfdcc4877b8ddbc9c898b89e4"
    FIRST_ADOPTION = "9874cc3ba3c14b08a5afc74fd5259cbd"
    BRANCH_GONE = "615a9b52e9114549a2dfe2f01366ea97"
    REWRITTEN_HISTORY = "e08015fbcd3547ffb420e0dc5289700e"
    UNRELATED_HISTORY = "d42a00cccb7d42019e7037f2806bf74c"

    # the work tree
    CONFLICT = "5497f961161141a691d0d13d3d7f2d27"
    WAITING = "e241dfdbdc164697903231167a8bc8b3"
    GONE = "369e1f65bfd143b69cd7255ea3c52cc3"
    UNWATCHABLE = "fb3020af961540c4a591fcf3c077f6f6"
    UNFIT = "0fe89c0512de40f89a9a04473402d453"
    HOOK = "8c0df3f5ec104672812234bb656218e6"
    IN_THE_WAY = "22f982e76b954e8b8efd51e51191fc14"
    LEFT_OUT = "0394f161c7bb4899b5942ac1c2f916a5"
    DISK_FULL = "0114b8f3267b43a2a5d2927a6d19b945"
    DISK_ERROR = "252c081e79364970abee11997f65e8bb"
    READ_ONLY = "796d8ac6c5c2414c9d0fb5136959537c"
    NO_MEMORY = "04a1d9fcf9a0446e97a1de655c1e1174"
    FORBIDDEN_NAME = "61d79ef329364f4a9505101ed6469300"
    GIT_FAILED = "2ea6b36a773742c5a53dc9d210e288df"

    # the remote
    REMOTE_AWAY = "7117736dbeaa43d4adbf7dcdb4ae442d"
    CREDENTIALS = "336fe7dba4014bc0a95d01aff9710c10"
    CONFIRMATION = "6ffd6c5edf294754b3134b1ae4b28bd7"
    HOST_KEY = "28afcd3cb44d4a3da511dfc9344cda91"
    REMOTE_NOT_FOUND = "049146de713b429eb1dcb44fb1c51bf6"
    REMOTE_DAMAGED = "26c38537e80a4fb1af2d01a29aadfc3c"
    REMOTE_FULL = "42ae2524b6384edb896ec5fda9b9d4c7"
    REMOTE_LOCKED = "a6d497fbb70242098139bcf083104809"
    PUSH_REFUSED = "c44fe26a92bf49ec8409e5184393b5df"
    PUSH_FULL = "d26f55a077d94787ac79bcd99004fba0"
    DIVERGED = "baf36a3ddbfb4bf686efa3d759311655"
    SYNC_FAILED = "666029107d174a87b3927eaf458e5a6c"


WELL = frozenset(
    {
        Event.NOTE,
        Event.STARTED,
        Event.STOPPED,
        Event.RELOADED,
        Event.COMMITTED,
        Event.PUSHED,
        Event.PULLED,
        Event.SOLVED,
        Event.PAUSED,
        Event.RESUMED,
        Event.ADDED,
        Event.REMOVED,
        Event.TRANSPORT,
    }
)
"""What needs no explanation; everything else has its entry in the catalog."""

_BY_KIND = {event.name.lower().replace("_", "-"): event for event in Event if event not in WELL}


def of_problem(kind: str) -> Event:
    """The event of a problem (link/messages.py, Problem): named alike, or by its first words."""
    plain = kind.removeprefix("incoming-")
    if plain.startswith("left-out-"):
        return Event.LEFT_OUT
    return _BY_KIND.get(plain, Event.PROBLEM)
