"""Errors of the hub in sentences that say what to do; a token is never in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmrl.encoders.hub.models import HubModel
from mmrl.errors import MmrlError, WeightsError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_ACCESS = (
    "make a token that may read at https://huggingface.co/settings/tokens and set it as HF_TOKEN"
)


@contextmanager
def explained(model: HubModel) -> Iterator[None]:
    """Turns what huggingface_hub and the network raise into a WeightsError.

    Raises:
        WeightsError: with one sentence in place of theirs.
    """
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except MmrlError:
        raise
    except (HTTPError, OSError, ValueError) as error:
        raise WeightsError(_sentence(model, error)) from error


def _sentence(model: HubModel, error: BaseException) -> str:
    """What went wrong, and what to do."""
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__  # it only says that asking failed, and nothing was there
    name, again = model.name, _again(model)
    if isinstance(error, OfflineModeIsEnabled):
        return f"{name} can't be fetched while HF_HUB_OFFLINE is set: unset it and {again}."
    if isinstance(error, GatedRepoError):
        return (
            f"The hub gives {name} only to accounts that accepted its terms: accept them at "
            f"{ENDPOINT}/{name}, {_ACCESS}, and {again}."
        )
    if isinstance(error, HfHubHTTPError):
        return _of_an_answer(model, error)
    if isinstance(error, HTTPError):
        return (
            f"{ENDPOINT} can't be reached for {name}, or broke off ({_cause(error)}). What came "
            f"is kept: see that this machine reaches that address (a proxy is set as HTTPS_PROXY, "
            f"a mirror of the hub as HF_ENDPOINT) and {again}; or copy the files from another "
            "machine and name their folder under [weights] in mmrl.toml."
        )
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename or 'The cache'}: {error.strerror}. What came is kept: mend that (or "
            f"set HF_HUB_CACHE to another folder) and {again}."
        )
    return (
        f"{ENDPOINT} did not answer as the hub does when asked for {name} "
        f"({type(error).__name__}): see that HF_ENDPOINT is right and that no proxy's own page "
        f"comes in its place, and {again}."
    )


def _of_an_answer(model: HubModel, error: "HfHubHTTPError") -> str:
    """The same, where the hub answered with an error's status."""
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import (
        EntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name, again, status = model.name, _again(model), error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        return (
            f"The hub's {name} has no commit {model.revision or 'main'} (any more): update "
            "mmrl, or name a folder with its files under [weights] in mmrl.toml."
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{ENDPOINT} has no repository {name}, or shows it only to those who may see it "
            f"(it answered {status}): if HF_ENDPOINT is set, see that it is right; otherwise "
            f"{_ACCESS}, and {again}."
        )
    if isinstance(error, EntryNotFoundError):
        return f"The hub's {name} lacks a file that mmrl needs: update mmrl."
    if status in (401, 403):
        return (
            f"{ENDPOINT} refuses {name} ({status}): the token (HF_TOKEN, or what `hf auth "
            f"login` kept) is wrong or may not read it; {_ACCESS}, and {again}."
        )
    return (
        f"{ENDPOINT} answered {status} when asked for {name}: wait a while and {again}; if "
        "HF_ENDPOINT is set, see that it is right."
    )


def _again(model: HubModel) -> str:
    return f"run `mmrl weights fetch {model.name}` again"


def _cause(error: BaseException) -> str:
    """The kind of a network error, and what the system said of it.

    The error's own words are left out: where a header is the trouble they repeat it, token and
    all.
    """
    kind, words = type(error).__name__, ""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            words = f": {seen.strerror}"
        seen = seen.__cause__ or seen.__context__
    return kind + words
