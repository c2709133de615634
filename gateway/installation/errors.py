"""Why a version does not take the place of another.

InstallationError
├── SignatureError   the package is not what somebody who is trusted has signed
├── RefusedError     it cannot be begun: nothing was changed
│   └── OlderError   it is older than the version that runs, and nobody said why that may be
└── WentBackError    it was tried, and the version before runs again
"""

from __future__ import annotations


class InstallationError(Exception):
    """Another version cannot take the place of this one; the message says why."""


class SignatureError(InstallationError):
    """The package is not what somebody who is trusted has signed."""

    advice = (
        "Get the package again, with SHA256SUMS and SHA256SUMS.sig beside it; or say why it may be installed without:"
        " --unsigned 'WHY', which is kept"
    )


class RefusedError(InstallationError):
    """It cannot be begun: nothing that runs was changed."""


class OlderError(RefusedError):
    """It is older than the version that runs: what was mended since would be broken again."""

    advice = (
        "Where that is meant, say why: --older 'WHY', which is kept; back to a version that is here already: 'rollback'"
    )


class WentBackError(InstallationError):
    """The other version was tried, and the one before runs again."""

    advice = "Nothing was lost meanwhile: both write to the same files"
