"""Common ground of the scripts in the root: readable messages on the terminal, one line per error."""

import contextlib
import logging
import sys
from collections.abc import Callable

from tqdm import tqdm

from Utilities.version import refuse_old_torch

OUR_PACKAGES = ('Configuration', 'Models', 'Losses', 'Datasets', 'Orchestrators', 'Utilities', '__main__')


class RunFailedError(RuntimeError):
    """A run that had started could not go on; the message says where and why, and what is left to resume from."""


class _AboveProgressBar(logging.Handler):
    """Writes messages above a progress bar instead of into it."""

    def emit(self, record: logging.LogRecord) -> None:
        # The terminal may be gone (a closed pipe); the log file still has the message.
        with contextlib.suppress(OSError):
            stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
            if stream is None:
                return  # Closed before Python began, as by `>&-`.
            encoding = stream.encoding or 'utf-8'
            # A file's name may be no text at all.
            tqdm.write(self.format(record).encode(encoding, 'backslashreplace').decode(encoding), file=stream)
            stream.flush()  # Else a pipe, such as that to `tee`, gets them thousands of characters late.


def configure_console() -> None:
    """Show our packages' messages; others' from warnings on. Calling it again changes nothing."""
    root = logging.getLogger()
    if any(isinstance(handler, _AboveProgressBar) for handler in root.handlers):
        return
    handler = _AboveProgressBar()
    handler.setFormatter(logging.Formatter('%(message)s'))
    root.addHandler(handler)
    logging.captureWarnings(True)
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)


def run_command(main: Callable[[], None], *, show_traceback: bool | None = None) -> None:
    """Run a script's main function and end the process as a command should.

    Exit codes: 0 done; 2 a setting or an input is at fault, and nothing was started; 1 a run that had started failed;
    130 or 143 stopped by a signal. An error is one line; `--debug` on the command line shows where it came from.
    """
    debug = '--debug' in sys.argv[1:] if show_traceback is None else show_traceback
    if show_traceback is None:
        unknown = [argument for argument in sys.argv[1:] if argument != '--debug']
        if unknown:
            sys.exit(
                f'error: {sys.argv[0]} takes no argument but --debug, got {unknown[0]!r}; settings stand in the file.'
            )
    configure_console()
    try:
        refuse_old_torch()
        main()
    except (ValueError, OSError, RunFailedError) as error:
        if debug:
            raise
        logging.getLogger(__name__).error('error: %s', error or type(error).__name__)
        sys.exit(1 if isinstance(error, RunFailedError) else 2)
    except KeyboardInterrupt:
        logging.getLogger(__name__).error('Stopped by Ctrl-C.')
        sys.exit(130)
