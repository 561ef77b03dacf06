"""What stands in an image's place when there is none to keep."""

from dataclasses import dataclass

from mmrl.catalog.reasons import Reason


@dataclass(frozen=True)
class Refused:
    """Why an address or a file gave no image.

    Attributes:
        reason: from the closed list.
        detail: a few words for whoever looks into it.
        transient: another try later may go better.
    """

    reason: Reason
    detail: str
    transient: bool = False


class UnreadableError(Exception):
    """A file does not decode.

    Attributes:
        detail: a few words for whoever looks into it; the message.
        reason: from the closed list.
    """

    def __init__(self, detail: str, reason: Reason = Reason.BROKEN_IMAGE) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
