"""Turns docs/production.md into a script for bash that does what the page says, in its order.

Indented lines are commands. A fenced file whose first line is its path is written there; below the keys that it shares with a
file of Debian's, its lines are added. After each section `after_N` is called, where the script that reads this one has it.
"""

import pathlib
import re
import shlex
import sys


def added(path: str, lines: list[str]) -> str:
    """The command that adds what stands below a top-level key to what a file has below the same key."""
    commands = []
    key = ""
    below: dict[str, list[str]] = {}
    for line in lines:
        if re.fullmatch(r"[a-z_]+:", line):
            key = line
        elif line:
            below.setdefault(key, []).append(line)
    for key, those in below.items():
        appended = "\\\n".join([f"/^{key}/a", *those])
        commands.append(f"grep -q '^{key}' {path}")
        commands.append(f"sed -i {shlex.quote(appended)} {path}")
    return "\n".join(commands)


def written(lines: list[str]) -> str:
    path = lines[0].removeprefix("# ")
    if path.endswith(".yml"):
        return added(path, lines[1:])
    return f"cat >{path} <<'END OF FILE'\n" + "\n".join(lines) + "\nEND OF FILE"


def alone(command: str) -> str:
    """The command as it runs by itself: nobody answers its questions."""
    if " account add " not in command:
        return command
    by_token = ("platform", "prometheus", "relay")
    password = "" if any(f" {name} " in command for name in by_token) else "a password of the test"
    return f"echo '{password}' | {command} --password-stdin"


def main() -> None:
    fence: list[str] | None = None
    section = 0
    n_commands = 0
    for line in pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        if fence is not None:
            if line == "```":
                if fence and fence[0].startswith("# /"):
                    print(written(fence))
                fence = None
            else:
                fence.append(line)
        elif line.startswith("```"):
            fence = []
        elif line.startswith("## "):
            print(f"after {section}")
            section = int(line.split()[1].rstrip("."))
        elif line.startswith("    "):
            n_commands += not line.startswith("        ")
            print(alone(line.strip()))
    print(f"after {section}")
    print(f"the_page_has={n_commands}")


main()
