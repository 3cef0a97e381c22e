"""The head of title evidence is learnt, and measured on items that it has not learnt from."""

import csv
import json

import numpy as np
import pytest

from productcat.duplicates.titles import COLUMNS, TitleHead
from training.duplicates import titles
from training.duplicates.titles import auc, fit_title_head


@pytest.fixture
def folder(tmp_path):
    """Products of several shops, and articles with photos that all differ."""
    rng = np.random.default_rng(0)
    with (tmp_path / titles.PRICERUNNER).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["product_title", "cluster_id"])
        for product in range(150):
            for shop in range(3):
                extra = rng.choice(["white", "new", "boxed", "cheap", "large"], 2, replace=False)
                table.writerow([f"brand{product % 9} fridge ab{product * 37}c {' '.join(extra)} {shop}", product])
    fashion = tmp_path / titles.FASHION
    (fashion / "images").mkdir(parents=True)
    with (
        (fashion / "styles.csv").open("w", newline="") as styles,
        (fashion / "splits.csv").open("w", newline="") as file,
    ):
        table, splits = csv.writer(styles), csv.writer(file)
        table.writerow(["id", "productDisplayName"])
        splits.writerow(["id", "split"])
        for number in range(300):
            table.writerow([number, f"Brand{number % 7} Men Cotton{number % 40} Pattern{number} Shirt"])
            splits.writerow([number, ("train", "val", "test")[number % 3]])
            (fashion / "images" / f"{number}.jpg").write_bytes(str(number).encode())
    return tmp_path


def test_the_command_learns_a_head_and_measures_it(folder, capsys):
    head, figures = folder / "head.json", folder / "figures.json"
    titles.main(["--data", str(folder), "--head", str(head), "--to", str(figures), "--extremes", "2"])
    found = json.loads(figures.read_text())
    assert found["pricerunner"]["auc"] > 0.95
    assert found["pricerunner"]["titles"] == 90
    assert found["fashion"]["auc_interval"][0] <= found["fashion"]["auc"] <= found["fashion"]["auc_interval"][1]
    learnt = TitleHead.from_settings(json.loads(head.read_text()))
    assert (learnt.weights * np.array(list(COLUMNS.values())) >= 0).all()
    assert "one item" in capsys.readouterr().out


def test_missing_data_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match=titles.PRICERUNNER):
        titles.main(["--data", str(tmp_path)])


def test_no_product_is_in_two_parts(folder):
    parts = titles.products(folder / titles.PRICERUNNER)
    products = [{product for _, product in part} for part in parts.values()]
    assert sum(map(len, products)) == len(set.union(*products)) == 150


def test_logits_hold_no_share_of_pairs_of_one_item():
    rng = np.random.default_rng(1)
    same = np.repeat([True, False], 500)
    seen = rng.random((1000, len(COLUMNS))).astype(np.float32)
    seen[:, 0] += same
    rarer = np.concatenate([np.arange(500, 1000), np.arange(500, 1000), np.arange(500)])
    domain = np.zeros(1500, np.intp)
    heads = [fit_title_head(seen, same, domain[:1000]), fit_title_head(seen[rarer], same[rarer], domain)]
    np.testing.assert_allclose(heads[0].weights, heads[1].weights, atol=0.05)


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    same, scores, weights = rng.random(200) < 0.3, rng.integers(0, 9, 200).astype(float), rng.random(200)
    np.testing.assert_allclose(auc(same, scores, weights), roc_auc_score(same, scores, sample_weight=weights))
