"""What a git child of ours finds: a fixed environment, fixed settings. What it says, made readable."""

from collections.abc import Mapping

from autosyncd.redaction import without_secrets

KEPT_GIT_VARIABLES = (
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_",
    "GIT_PROXY_",
    "GIT_HTTP_",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    "GIT_CONFIG_",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
)
"""What of a person's GIT_* may reach our children; GIT_DIR, GIT_INDEX_FILE and the like must not."""

SETTINGS = (
    "gc.auto=0",
    "maintenance.auto=false",
    "core.quotePath=false",
    # what is reported as committed survives a power cut
    "core.fsync=committed,loose-object,reference",
    "core.fsyncMethod=batch",
    "core.fsmonitor=false",
    "advice.detachedHead=false",
    # git dies of one that names no file; what is said of a tree needs no order of a person's
    "diff.orderFile=/dev/null",
    "merge.directoryRenames=true",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "trailer.separators=:",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
)
NO_HOOKS = "core.hooksPath=/dev/null"


def environment_of(given: Mapping[str, str]) -> dict[str, str]:
    """The person's environment without what would redirect git or let it ask."""
    env = {
        name: value
        for name, value in given.items()
        if not name.startswith(("GIT_", "LC_")) or name.startswith(KEPT_GIT_VARIABLES)
    }
    env |= {
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "SSH_ASKPASS_REQUIRE": "never",
        "GCM_INTERACTIVE": "never",
        "GIT_EDITOR": "/bin/false",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_MERGE_AUTOEDIT": "no",
        # what git-replace(1) shows on this machine alone must not be committed for all
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    return env


def readable(complaint: bytes) -> str:
    """git's stderr as a person may read it: no secrets, no progress lines, no control characters."""
    text = complaint.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = [line.rsplit("\r", 1)[-1].strip() for line in text.split("\n")]
    said = [line for line in lines if line and not line.endswith("%") and not _is_progress(line)]
    return without_secrets("\n".join("".join(c for c in line if c.isprintable()) for line in said))


def _is_progress(line: str) -> bool:
    words = ("Enumerating", "Counting", "Compressing", "Writing", "Receiving", "Resolving", "Total")
    return line.removeprefix("remote: ").startswith(words) or line.startswith("Delta compression")
