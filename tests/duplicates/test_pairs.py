"""Files of pairs of duplicates."""

import json

from productcat import DuplicatePair
from productcat.duplicates.pairs import pair_lines


def test_pairs_are_written_as_csv_or_json_lines():
    pairs = [DuplicatePair('a,"b"', "ü", 0.9876543), DuplicatePair("c", "d", 1.0, "same item")]
    csv = b"".join(pair_lines(pairs)).decode()
    assert csv == 'left,right,score,kind\n"a,""b""",ü,0.987654,\nc,d,1.000000,same item\n'
    lines = [json.loads(line) for line in pair_lines(pairs, as_json=True)]
    assert lines[0] == {"left": 'a,"b"', "right": "ü", "score": 0.987654, "kind": ""}
