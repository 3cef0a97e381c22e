"""Groups of listings that are connected by duplicates."""

from collections.abc import Iterable


def connected(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups that pairs connect, directly or through others, as lists of numbers in ascending order."""
    groups: dict[int, list[int]] = {}
    for pair in pairs:
        joined, other = (groups.get(each, [each]) for each in pair)
        if joined is not other:
            joined += other
            groups.update(dict.fromkeys(joined, joined))
    return [sorted(group) for group in {id(group): group for group in groups.values()}.values()]
