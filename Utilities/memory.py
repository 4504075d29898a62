"""Memory of the process, the machine and the GPU, in bytes; and how to tell that it ran out."""

import contextlib
import ctypes
import gc
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

MIB = 2**20
_PROCESS = Path('/proc/self')

# In the words of torch on a CPU (Linux, Windows), of the other devices, and of the libraries that torch calls.
_OUT_OF_MEMORY = ("can't allocate memory", 'not enough memory', 'out of memory', 'std::bad_alloc')
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
_KEPT = 2**17


class ChunkMemoryError(MemoryError):
    """There was no memory to ask for so many coordinates at a time."""

    def __init__(self, queries: int) -> None:
        super().__init__(f'Out of memory at {queries} queries at a time; fewer may do (queries_per_chunk).')
        self.queries = queries


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def used_memory(device: torch.device) -> int:
    """Bytes that the process takes now: on a GPU what torch has handed out there, else all that is resident."""
    if device.type == 'cuda':
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


def free_memory() -> int:
    """Bytes that the machine has left without swapping."""
    return int(psutil.virtual_memory().available)


def peak_memory(device: torch.device) -> int:
    """Most bytes that the process has taken until now: on a GPU what torch has handed out there, else resident."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == 'win32':
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # noqa: PLC0415  not on Windows

    # In KiB, on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 2**10)


def peak_memory_of(action: Callable[[], object], device: torch.device) -> int:
    """Most bytes that a call takes beyond those taken before it, its result included.

    Raises:
        OSError: where it can't be told: on a CPU it takes Linux' high-water mark of resident memory, set back before.
    """
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        action()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type != 'cpu':
        raise OSError(f'it is not known how to read it on {device}')
    gc.collect()
    # The allocator keeps freed memory; without giving it back, using it again would not show.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    # The one thing that psutil does not know. Sets the mark back to what is resident (Linux' proc(5), clear_refs).
    (_PROCESS / 'clear_refs').write_text('5', encoding='ascii')
    before = _status('VmRSS')
    result = action()
    peak = _status('VmHWM')
    del result
    return max(0, peak - before)


def _status(field: str) -> int:
    for line in (_PROCESS / 'status').read_text(encoding='ascii', errors='replace').splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) * 1024
    raise OSError(f'{_PROCESS / "status"} has no {field}')


class FreedMemory:
    """While this lives, every block of 128 KiB or more that is freed goes back to the system at once.

    glibc begins so, but then keeps ever larger blocks, and the gaps between them add half to what a network takes.
    The gaps that are there already, in a process that has trained before, say, are taken and never touched: what is
    asked for later finds none, and must come from the system too.
    """

    returned: bool
    """Whether it can be had: with another C library it can't."""

    def __init__(self) -> None:
        self.returned = False
        try:
            libc = ctypes.CDLL(None)
            if not (libc.mallopt(_M_MMAP_THRESHOLD, _KEPT) and libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)):
                return
            libc.malloc_trim(0)
            libc.mallinfo2.restype = _MallocInformation  # since glibc 2.33
            libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
            libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
        except (AttributeError, OSError, TypeError):
            return
        self.returned = True
        weakref.finalize(self, _free, libc, _fill_gaps(libc))


def _fill_gaps(libc: ctypes.CDLL) -> list[int]:
    """Take every gap of at least `_KEPT` bytes, the widest first."""
    taken = []
    size = 2 ** int(libc.mallinfo2().fordblks).bit_length()
    while size >= _KEPT:
        from_system = libc.mallinfo2().hblks
        block = libc.malloc(size)
        if block and libc.mallinfo2().hblks == from_system:
            taken.append(block)
        else:
            libc.free(block)
            size //= 2
    return taken


def _free(libc: ctypes.CDLL, blocks: list[int]) -> None:
    for block in blocks:
        libc.free(block)


class _MallocInformation(ctypes.Structure):
    # As in glibc's malloc.h; hblks counts the blocks that came from the system by themselves, fordblks free bytes.
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *('arena', 'ordblks', 'smblks', 'hblks', 'hblkhd'),
            *('usmblks', 'fsmblks', 'uordblks', 'fordblks', 'keepcost'),
        )
    ]
