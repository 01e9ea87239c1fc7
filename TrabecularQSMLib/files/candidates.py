"""What may be a multi-echo scan among many images, and how series are joined to one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from ..errors import counted
from .parts import SIGNALS

LEAST_ECHOES = 3


@dataclass(eq=False)
class Candidate:
    """Files that are parts and echoes of one scan.

    Parameters
    ----------
    names : list of str
        Series numbers, or what the names begin with where there are none.
    title : str
        Description of the series.
    files : dict of (float, str) to EchoFile
        Files by echo time and part; frames by position, for DICOM.
    trains : int
        How many series one part comes from.
    remarks : tuple of str
        What was noticed when they were read.
    by_order : bool
        Whether echo times were given to DICOM images by their order, in place of those of the headers.
    common : dict of str to str
        What its files have in common, such as the patient, which tells scans apart.
    fault : str
        Why it cannot be read as it is.
    """

    names: list[str]
    title: str
    files: dict
    trains: int = 1
    remarks: tuple[str, ...] = ()
    common: dict[str, str] = field(default_factory=dict)
    by_order: bool = False
    fault: str = ""

    @property
    def echo_times(self) -> list[float]:
        """Echo times in seconds, sorted."""
        return sorted({time for time, _ in self.files})

    @property
    def parts(self) -> list[str]:
        """Parts that every echo has."""
        parts = {part for _, part in self.files}
        return sorted(part for part in parts if all((time, part) in self.files for time in self.echo_times))

    @property
    def complete(self) -> bool:
        """Whether it is a scan of enough echoes, each with one of `SIGNALS`."""
        return len(self.echo_times) >= LEAST_ECHOES and any(set(signal) <= set(self.parts) for signal in SIGNALS)

    @property
    def magnitude(self) -> bool:
        """Whether it is a scan of enough echoes with magnitude alone."""
        return len(self.echo_times) >= LEAST_ECHOES and {part for _, part in self.files} == {"mag"}

    @property
    def source(self) -> str:
        """Name for messages."""
        return f"series {'+'.join(self.names)} {self.title}".strip()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how the scan was put together."""
        if self.trains == 1:
            return self.remarks
        count = len(self.echo_times)
        joined = f"The echoes of {self.source} come from {self.trains} series, joined to one scan of {count} echoes."
        return (*self.remarks, joined)

    def __str__(self):
        """Say which series it is and what it has."""
        counts = Counter(part for _, part in self.files)
        has = [part if part in self.parts else f"{part} for {counts[part]}" for part in sorted(counts)]
        return f"{self.source}: {counted(len(self.echo_times), 'echo')} with {', '.join(has)}"


def joined(series: dict[str, list[Candidate]]) -> list[Candidate]:
    """Join series that follow each other as long as no echo and part comes twice.

    Phase has a series of its own with some vendors, and so has each of several interleaved trains.
    """
    chains, last = [], 0
    for name in sorted(series, key=natural):
        # Of several copies, such as repetitions, the first of each series belong together, and so on.
        copies = series[name]
        open_ones = chains[len(chains) - min(last, len(copies)) :]
        last = len(copies)
        for one, chain in zip_longest(copies, open_ones):
            if chain and not any(one.files.keys() & other.files.keys() for other in chain):
                chain.append(one)
            else:
                chains.append([one])
    return [whole for chain in chains for whole in _whole(chain)]


def _whole(chain):
    """Return the longest start of a chain that is a complete scan, and what follows (such as a map made of it)."""
    if not chain:
        return []
    length = next((n for n in range(len(chain), 0, -1) if merged(chain[:n]).complete), len(chain))
    series_of = Counter(part for one in chain[:length] for part in {part for _, part in one.files})
    return [replace(merged(chain[:length]), trains=max(series_of.values())), *_whole(chain[length:])]


def merged(several: Sequence[Candidate]) -> Candidate:
    """Return candidates that share no echo and part as one, which has what the first has but for these."""
    return replace(
        several[0],
        names=list(dict.fromkeys(name for one in several for name in one.names)),
        files={key: file for one in several for key, file in one.files.items()},
        remarks=tuple(remark for one in several for remark in one.remarks),
        fault=next((one.fault for one in several if one.fault), ""),
    )


def natural(name: str) -> tuple:
    """Key that sorts series numbers as numbers, before names."""
    return (0, int(name), "") if name.isdecimal() and len(name) < 20 else (1, 0, name)


def fits(candidate: Candidate, echo_times: Sequence[float]) -> bool:
    """Whether a candidate is a scan, if of magnitude alone, of as many echoes as there are echo times."""
    return (candidate.complete or candidate.magnitude) and len(candidate.echo_times) == len(echo_times)


def on_equal_times(candidate: Candidate, time: float, first: float | None, second: float | None) -> str:
    """Say what is wrong where two echoes by their numbers have one echo time (s); nothing where they are one echo."""
    if not first or not second or first == second:
        return ""
    return (
        f"The headers of {candidate.source} give the echoes {min(first, second):g} and {max(first, second):g} one echo "
        f"time, {1e3 * time:g} ms; give all as `echo_times`, or correct the headers."
    )
