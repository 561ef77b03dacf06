"""The command line. It parses, calls and prints; the work is done elsewhere."""

import os
import sys

_LONGEST_LINE = 2_000
INTERRUPTED = 130  # 128 + SIGINT, which typer makes of Ctrl-C too


def command() -> None:
    """The process `mmrl`: runs a command, and keeps away what most commands don't use."""
    from mmrl.cli.restart import StartAnew
    from mmrl.runtime.lean import keep_away

    keep_away()
    StartAnew.possible = True
    try:
        main()
    except StartAnew as anew:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "mmrl", *sys.argv[1:], *anew.options])


def main() -> None:
    """Runs a command; a mistake ends with one sentence and exit code 2, a failure with 1."""
    from mmrl.errors import MmrlError

    try:
        from mmrl.cli.app import app

        app()
    except MmrlError as error:
        _say(str(error), error.exit_code)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.strerror is None:  # not the system's word on a file: an error of ours
            raise
        where = f"{error.filename}: " if error.filename else ""
        kept = "what was kept before still is; mend that and run the same command again."
        _say(f"{where}{error.strerror}; {kept}", 1)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        _say("stopped; what was committed is kept.", INTERRUPTED)
        sys.exit(INTERRUPTED)


def _say(sentence: str, exit_code: int) -> None:
    """Prints what went wrong; a message may quote what a file or a server says."""
    from mmrl.runtime import logs
    from mmrl.runtime.foreign_text import shown

    if logs.in_json():
        logs.log_error(shown(sentence, _LONGEST_LINE), exit_code)
        return
    lines = (shown(line, _LONGEST_LINE) for line in f"mmrl: {sentence}".split("\n"))
    print(*lines, sep="\n", file=sys.stderr)  # noqa: T201
