"""Git, asked by its command: which commit a revision means, and what is not committed."""

import subprocess
from pathlib import Path

from pix2street.core.errors import UserError


def git(folder: Path, *arguments: str) -> str:
    """Return what `git` prints in a folder.

    Raises:
        UserError: git is not installed or refuses.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UserError("git: not installed; install it, a commit is verified from a clone") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {' '.join(arguments)}: {error.stderr.strip() or 'failed'}") from error
    return done.stdout


def commit_of(checkout: Path, revision: str) -> str:
    """Return the 40 digits of the commit that `revision` means in a checkout.

    Raises:
        UserError: it means none, or the folder is no git repository's root.
    """
    if not (checkout / ".git").exists():
        raise UserError(f"{checkout}: no git repository's root; run in the project's root")
    try:
        return git(checkout, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    except UserError as error:
        raise UserError(f"{revision}: no commit of this repository; `git log --oneline` lists them") from error


def uncommitted(checkout: Path) -> list[str]:
    """Return the tracked files that differ from the last commit."""
    lines = git(checkout, "status", "--porcelain", "--untracked-files=no").splitlines()
    return [line[3:] for line in lines]
