"""Which dotted names are of interest among the strings of a file.

In: a predicate, and the top-level names that all names of interest begin with. Out: the same
answers as the predicate's, which is asked for few of the millions of pieces of text that a large
file has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

IsModule = Callable[[str], bool]

_START = 2  # letters of a name by which it is looked up


class WantedNames:
    """The dotted names that a predicate holds for."""

    def __init__(
        self, is_module: IsModule, tops: Collection[str] | None = None, *, dotted: bool = False
    ) -> None:
        """Take a predicate, and where they are known the first words of all that it holds for.

        With `dotted`, names of several parts may begin with any other word too.
        """
        self._is_module = is_module
        self._dotted = dotted
        self._tops = tops
        lengths: dict[str, set[int]] = {}
        for top in tops or ():
            lengths.setdefault(top[:_START], set()).add(len(top))
        self._lengths = {start: tuple(sorted(found)) for start, found in lengths.items()}

    def __contains__(self, name: str) -> bool:
        """Whether a name is wanted."""
        first, dot, _ = name.partition(".")
        if self._tops is not None and first not in self._tops and not (dot and self._dotted):
            return False
        return self._is_module(name)

    def may_begin(self, text: str) -> bool:
        """Whether some beginning of `text` could be wanted: cheap, and false for most words."""
        starts = self._lengths
        return self._tops is None or "." in text or text[:_START] in starts or text[:1] in starts

    def iter_lengths(self, text: str, longest: int) -> Iterator[int]:
        """Yield the lengths, up to `longest`, of the beginnings of `text` that are wanted names."""
        for length in self._candidates(text, min(len(text), longest)):
            if text[length - 1] != "." and self._is_module(text[:length]):
                yield length

    def _candidates(self, text: str, longest: int) -> Iterator[int]:
        if self._tops is None:
            yield from range(1, longest + 1)
            return
        word = text.partition(".")[0]
        for start in (word[:1], word[:_START]) if len(word) > 1 else (word,):
            for length in self._lengths.get(start, ()):
                if length <= min(len(word), longest) and word[:length] in self._tops:
                    yield length
        if len(word) < len(text) and (self._dotted or word in self._tops):
            yield from range(len(word) + 1, longest + 1)
