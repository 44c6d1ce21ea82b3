"""The rates at which `validate` takes a right pair for a swapped one, and at which it finds swapped pairs.

    python benchmarks/fit.py data/split
    python benchmarks/fit.py images --target-side left --sizes 64 128 256 --draws 50

reads a split folder or any folder of side-by-side images, and makes four sets: the pairs as they are, grey from photo,
edges from photo, and the same number of drawn streets; with `--harder` it spoils the pairs in four ways instead. It
cross-validates each set over groups (the sequences of the file names; it joins whole groups if they are more than
five). It sets a limit on all groups but one, half-way between the lowest fit of a right pair and the fit below which
90 % of the swapped pairs lie, and tries this limit on the group left out. It also tries `shipped`, the limits of
params.yaml.

It tries right pairs in many companies: all pairs, one group, all pairs and their mirror images, and drawn subsets of
12, 60 and 240. These trials are not independent, since they contain the same pairs again and again. The table therefore
has two extrapolations beside the counts. Both use the loss in fit when two pairs of different groups are exchanged: one
fits a generalized Pareto distribution to the lowest percent of these losses, the other a normal distribution to all.
The table shows the less favourable one, for a set with the number of pairs that were read.

The output is a table in Markdown, and after it all figures as a line of JSON.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage, stats

from pix2street.core.classes import cityscapes_classes
from pix2street.core.edge_maps import edge_map
from pix2street.core.formats import IMAGE_SUFFIXES
from pix2street.core.images import EdgeSettings, edges, grey, read_rgb, resize_box
from pix2street.core.pairs import SUBSETS, Dataset, drawing_of, read_pairs
from pix2street.datasets.synthetic_streets.scene import draw_scene
from pix2street.params import read_params
from pix2street.validation.fit import block_fit, block_lead

FOLDS, SWAPPED_SHARE, FOUND_SHARE = 5, 0.05, 0.9
SET_SIZES = (12, 60, 240)
SHIPPED = read_params(Path(__file__).parents[1] / "params.yaml").validate_
Pairs = tuple[list[np.ndarray], list[np.ndarray], list[str]]


def read_split(folder: Path) -> Pairs:
    """Return the inputs as `validate` compares them, the targets and the names, in order."""
    classes = Dataset.read(folder).classes
    pairs = sorted((pair for name in SUBSETS for pair in read_pairs(folder, name)), key=lambda pair: pair.pair_id)
    inputs = [drawing_of(pair.input_path, classes) for pair in pairs]
    return inputs, [read_rgb(pair.target_path) for pair in pairs], [pair.pair_id for pair in pairs]


def read_halves(folder: Path, target_side: str) -> Pairs:
    """Return the same of a folder of side-by-side images, in sub-folders or not."""
    paths = sorted((p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES), key=lambda path: path.stem)
    halves = [np.split(read_rgb(path), 2, axis=1)[:: -1 if target_side == "left" else 1] for path in paths]
    return [a for a, _ in halves], [b for _, b in halves], [path.stem for path in paths]


def folds(names: list[str], pattern: str) -> np.ndarray:
    """Return the fold of each pair; neighbours of one group share theirs."""
    found = [re.match(pattern, name) for name in names]
    groups = [match.group(1) if match else "" for match in found]
    unique = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    if len(unique) == 1:
        return np.arange(len(names)) * FOLDS // len(names)
    return np.array([unique[group] * min(FOLDS, len(unique)) // len(unique) for group in groups])


def kinds(
    folder: Path, target_side: str, pattern: str, size: int, harder: bool
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield each set's name, the products of its edge maps, and its folds."""
    read = read_split(folder) if (folder / "manifest.csv").exists() else read_halves(folder, target_side)
    inputs, targets = ([resize_box(image, size, size) for image in half] for half in read[:2])
    fold = folds(read[2], pattern)
    if harder:
        yield from _harder(inputs, targets, fold)
        return
    settings = EdgeSettings(1.0, 0.8, 0.92)
    yield "as given", products_of(inputs, targets), fold
    yield "grey to colour", products_of([grey(photo) for photo in targets], targets), fold
    yield "edges to photo", products_of([edges(photo, settings) for photo in targets], targets), fold
    scenes = [draw_scene(0, index, size, size) for index in range(len(targets))]
    drawings = [cityscapes_classes().to_colors(ids) for _, ids in scenes]
    parts = np.arange(len(scenes)) * FOLDS // len(scenes)
    yield "drawn streets", products_of(drawings, [photo for photo, _ in scenes]), parts


def _harder(inputs: list[np.ndarray], targets: list[np.ndarray], fold: np.ndarray) -> Iterator:
    """Yield the same for the pairs with one half spoiled, in four ways."""
    rng = np.random.default_rng(0)
    dark = [np.clip(0.3 * photo + rng.normal(0, 8, photo.shape), 0, 255).astype(np.uint8) for photo in targets]
    yield "darkened, with noise", products_of(inputs, dark), fold
    yield "blurred", products_of(inputs, [ndimage.gaussian_filter(photo, (1.5, 1.5, 0)) for photo in targets]), fold
    yield "moved by 3 px", products_of([np.roll(image, 3, axis=1) for image in inputs], targets), fold
    yield "four colours", products_of([_four_colors(image) for image in inputs], targets), fold


def _four_colors(image: np.ndarray) -> np.ndarray:
    """Return the image with all but its four commonest colours, in steps of 64 levels, painted black."""
    _, color, counts = np.unique((image // 64).reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    common = np.isin(color.reshape(image.shape[:2]), np.argsort(-counts, kind="stable")[:4])
    return np.where(common[..., None], image, 0).astype(np.uint8)


def products_of(inputs: list[np.ndarray], targets: list[np.ndarray]) -> np.ndarray:
    """Return the products of all edge maps: `[2 N]` inputs (N pairs, then their mirror images), and as many targets."""
    images = [image for half in (inputs, targets) for image in [*half, *(image[:, ::-1] for image in half)]]
    maps = np.array([edge_map(image).ravel() for image in images], np.float32)
    maps -= maps.mean(axis=1, keepdims=True)
    return maps @ maps.T


def agreement_of(products: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return what `block_agreement` gives for the pairs `of`, without their maps: there are thousands of sets."""
    targets = of + len(products) // 2

    def centered(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        block = products[np.ix_(rows, columns)].astype(np.float64)
        return block - block.mean(axis=0) - block.mean(axis=1, keepdims=True) + block.mean()

    lengths = [np.sqrt(centered(rows, rows).diagonal().clip(1e-12)) for rows in (of, targets)]
    return centered(of, targets) / np.outer(*lengths)


def companies(fold: np.ndarray, kept: np.ndarray, rng: np.random.Generator, draws: int) -> Iterator[np.ndarray]:
    """Yield the indices of right pairs in each set to try; `kept` are the pairs that may be in one."""
    yield kept
    for part in np.unique(fold[kept]):
        yield kept[fold[kept] == part]
    yield np.concatenate([kept, kept + len(fold)])
    for size in SET_SIZES:
        for _ in range(draws if size < len(kept) else 0):
            yield rng.choice(kept, size, replace=False)


def swaps(members: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Return `[n, 2]` indices to swap: 5 % of `members`, each with any other of them or with the next one."""
    count = max(1, round(SWAPPED_SHARE * len(members) / 2))
    if how == "neighbours":
        starts = 2 * rng.choice((len(members) - 1) // 2, count, replace=False)
        return members[np.stack([starts, starts + 1], axis=1)]
    return rng.choice(members, (count, 2), replace=False)


def fit_of_swapped(agreement: np.ndarray, swapped: np.ndarray) -> np.ndarray:
    """Return the fits of a set after the inputs at these indices have been swapped."""
    order = np.arange(len(agreement))
    order[swapped] = order[swapped[:, ::-1]]
    return block_fit(agreement[order])[0]


def limit_of(products: np.ndarray, fold: np.ndarray, kept: np.ndarray, rng: np.random.Generator, draws: int) -> float:
    """Return the fit half-way between the lowest right fit and that below which most swapped pairs lie."""
    lowest = min(block_fit(agreement_of(products, of))[0].min() for of in companies(fold, kept, rng, draws))
    agreement = agreement_of(products, kept)
    drawn = [swaps(np.arange(len(kept)), "random", rng) for _ in range(draws)]
    found = np.concatenate([fit_of_swapped(agreement, swapped)[swapped.ravel()] for swapped in drawn])
    return float((lowest + np.quantile(found, FOUND_SHARE)) / 2)


def cross_validate(products: np.ndarray, fold: np.ndarray, draws: int) -> dict:
    """Return the right trials, the false alarms and the shares of swapped pairs found, by the limits of other folds."""
    rng = np.random.default_rng(0)
    everyone = np.arange(len(fold))
    whole = agreement_of(products, everyone)
    sums: dict[str, list] = defaultdict(list)
    for part in np.unique(fold):
        limit = limit_of(products, fold, everyone[fold != part], rng, draws)
        sums["limits"].append(round(limit, 3))
        held_out = everyone[fold == part]
        for of in [*companies(fold, held_out, rng, draws), *companies(fold, everyone, rng, draws)]:
            agreement = agreement_of(products, of)
            fit, lead = block_fit(agreement)[0], block_lead(agreement)
            tried = fold[of % len(fold)] == part
            sums["lowest"].append(fit[tried].min(initial=np.inf))
            sums["right"].append(tried.sum())
            for name, alarms in (("limits", fit < limit), ("shipped", fit < SHIPPED.min_fit)):
                sums[f"false_{name}"].append(alarms[tried].sum())
            sums["outliers"].append((lead < SHIPPED.min_lead)[tried].sum())
            sums["stopped"].append((lead < SHIPPED.min_lead).sum() > max(2, SHIPPED.max_outlier_share * len(of)))
        for how, members in (("random", everyone), ("same_group", held_out), ("neighbours", held_out)):
            for _ in range(draws):
                swapped = swaps(members, how, rng)
                fit = fit_of_swapped(whole, swapped)
                of = swapped.ravel()[fold[swapped.ravel()] == part]
                sums[f"{how}_limits"] += list(fit[of] < limit)
                sums[f"{how}_shipped"] += list(fit[of] < SHIPPED.min_fit)
                sums["right_beside_swapped"].append(len(fold) - swapped.size)
                sums["false_beside_swapped"].append(np.delete(fit < SHIPPED.min_fit, swapped.ravel()).sum())
    result = {name: int(np.sum(sums[name])) for name in sums if re.match("right|false|outliers|stopped", name)}
    shares = [name for name in sums if re.match("random|same|neighbours", name)]
    found = {f"found_{name}": round(float(np.mean(sums[name])), 4) for name in shares}
    return {"limits": sums["limits"], "lowest": round(float(np.min(sums["lowest"])), 3), **result, **found}


def tails(products: np.ndarray, fold: np.ndarray) -> dict:
    """Return the chance that a right pair of such a set has a fit below the shipped limit, by two extrapolations.

    It leaves out pairs of one group, since near-equal frames lose hardly anything by an exchange and never gain by it.
    """
    agreement = agreement_of(products, np.arange(len(fold)))
    own = agreement.diagonal()
    loss = ((own[:, None] + own - agreement - agreement.T) / 2)[fold[:, None] < fold[None]]
    edge, median = np.quantile(loss, [0.01, 0.5])
    shape, _, scale = stats.genpareto.fit(edge - loss[loss < edge], floc=0)
    spread = (median - edge) / stats.norm.ppf(0.99)
    others = len(fold) - 1
    pareto = 0.01 * stats.genpareto.sf(edge - SHIPPED.min_fit, shape, 0, scale)
    normal = stats.norm.sf((median - SHIPPED.min_fit) / spread)
    return {"pareto": float(others * pareto), "normal": float(others * normal), "other_pairs": others}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target-side", choices=("left", "right"), default="right", help="of side-by-side images")
    parser.add_argument("--group-pattern", default=r"^([^_]+)_", help="its first group is the sequence")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128], help="working sizes in pixels")
    parser.add_argument("--harder", action="store_true", help="try only the pairs spoiled in four ways")
    parser.add_argument("--draws", type=int, default=20, help="draws of swaps and of subsets for each size and group")
    options = parser.parse_args()
    rows = []
    titles = "set, px, limits, tried, false alarms, shipped, lowest fit, estimate, random, same group, neighbours"
    print("|", titles.replace(", ", " | "), "|")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for size in options.sizes:
        for name, products, fold in kinds(
            options.folder, options.target_side, options.group_pattern, size, options.harder
        ):
            row = {"set": name, "px": size, "pairs": len(fold)}
            row |= cross_validate(products, fold, options.draws) | tails(products, fold)
            rows.append(row)
            estimate = f"1 in {1 / max(row['pareto'], row['normal'], 1e-9):.2g}"
            found = [
                f"{row[f'found_{how}_limits']:.1%} / {row[f'found_{how}_shipped']:.1%}"
                for how in ("random", "same_group", "neighbours")
            ]
            cells = [name, size, f"{min(row['limits'])} to {max(row['limits'])}", row["right"], row["false_limits"]]
            print(
                "|",
                " | ".join(map(str, [*cells, row["false_shipped"], row["lowest"], estimate, *found])),
                "|",
                flush=True,
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
