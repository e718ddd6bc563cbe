"""How many images a second reach a training step, beside other people's loaders?

    .venv/bin/python benchmarks/loader.py --root photos              # photos/<class>/..., 1,000 of them or more
    .venv/bin/python benchmarks/loader.py --root photos --cut large  # pieces of 2000 x 1500 pixels, for --root large
    .venv/bin/python benchmarks/loader.py --root large --images 128

A turn is one epoch over so many images, in batches of 64, with random crops of 224 px, shuffled and mirrored; worker
processes outlive their epochs. The images are laid into a folder of their own, of which an epoch is all: of a larger
one, workers would read ahead into the next contestant's turn. Contestants take turns (see interleave.py), each at its
own number of workers. vitcli hands out bytes, which are normalised on the device; "normalised" adds that, on the CPU,
as the others do it there. "cached" is the second epoch and later ones with data.cache disk.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from interleave import CORES, Job, Outcome, interleave
from net import keep, spread

SIZE = 224
BATCH = 64
SCALE, RATIO = (0.25, 1.0), (0.75, 1.3333)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CUT = (2000, 1500)

Epoch = Callable[[], Iterable[Any]]


def vitcli(root: str, workers: int, folder: str, cache: str = "none", normalised: bool = False) -> Epoch:
    from vitcli.data import Augment, FolderData
    from vitcli.preprocess import Preprocess

    data = FolderData(
        root,
        val_fraction=0.0,
        test_fraction=0.0,
        preprocess=Preprocess(size=(SIZE, SIZE), interpolation="bilinear"),
        augment=Augment(crop_scale=SCALE, crop_ratio=RATIO),
        batch_size=BATCH,
        num_workers=workers,
        cache=cache,
        cache_dir=folder,
    )
    data.classes = data.find_classes()
    data._settle("train")
    data._store("train")
    loader = data.train_dataloader()

    def epoch() -> Iterable[Any]:
        for batch in loader:
            varied = data.varied(batch)
            yield data.preprocess.normalise(varied["image"]) if normalised else varied["image"]

    return epoch


def torchvision(root: str, workers: int, folder: str, tensors: bool = False) -> Epoch:
    import torch
    from torchvision import datasets
    from torchvision.transforms import v2

    crop = v2.RandomResizedCrop(SIZE, scale=SCALE, ratio=RATIO, antialias=True)
    whole = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    first = [] if tensors else [v2.PILToTensor()]
    steps = [crop, v2.RandomHorizontalFlip(), *first, *whole]
    options = {"loader": decoded} if tensors else {}
    return _loader(datasets.ImageFolder(root, v2.Compose(steps), **options), workers)


def decoded(path: str) -> Any:
    """In a worker of a loader: the pixels of a file, as torchvision decodes them."""
    from torchvision import io

    return io.decode_image(path, io.ImageReadMode.RGB)


class Photos:
    """What people write by hand: each file opened by Pillow, then changed."""

    def __init__(self, files: list[Path], change: Callable[[Any], Any]) -> None:
        self.files, self.change = files, change

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> Any:
        from PIL import Image

        return self.change(Image.open(self.files[position]).convert("RGB")), 0


def plain(root: str, workers: int, folder: str) -> Epoch:
    from torchvision import transforms

    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, SCALE, RATIO),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    files = [path for path in sorted(Path(root).rglob("*")) if path.is_file()]
    return _loader(Photos(files, change), workers)


def timm(root: str, workers: int, folder: str, jitter: float | None = None) -> Epoch:
    import torch
    from timm.data import ImageDataset, create_loader
    from torch.utils.data import Subset

    dataset = ImageDataset(root)
    # timm's loader sets the transform of the dataset that it is given
    chosen = Subset(dataset, range(len(dataset)))
    loader = create_loader(
        dataset,
        (3, SIZE, SIZE),
        BATCH,
        is_training=True,
        use_prefetcher=False,
        scale=SCALE,
        ratio=RATIO,
        color_jitter=jitter,
        interpolation="bilinear",
        num_workers=workers,
        persistent_workers=workers > 0,
        device=torch.device("cpu"),
    )
    assert len(chosen) == len(dataset)
    return lambda: (batch[0] for batch in loader)


def _loader(dataset: Any, workers: int) -> Epoch:
    from torch.utils.data import DataLoader

    shared = {"batch_size": BATCH, "shuffle": True, "num_workers": workers, "persistent_workers": workers > 0}
    loader = DataLoader(dataset, drop_last=True, **shared)
    return lambda: (batch[0] for batch in loader)


OURS = ("vitcli", "vitcli, normalised", "vitcli, cached", "vitcli, cached, normalised")
CONTESTANTS: dict[str, tuple[Callable[..., Epoch], dict[str, Any]]] = {
    "vitcli": (vitcli, {}),
    "vitcli, normalised": (vitcli, {"normalised": True}),
    "vitcli, cached": (vitcli, {"cache": "disk"}),
    "vitcli, cached, normalised": (vitcli, {"cache": "disk", "normalised": True}),
    "torchvision ImageFolder + v2": (torchvision, {}),
    "torchvision.io + v2": (torchvision, {"tensors": True}),
    "timm, without jitter": (timm, {}),
    "timm, as it comes": (timm, {"jitter": 0.4}),
    "a plain PIL Dataset": (plain, {}),
}
BASE = "torchvision ImageFolder + v2"


def prepare(name: str, workers: int, root: str, images: int, folder: str) -> Job:
    """In the worker: a loader, and a step that goes through an epoch of it."""
    if CONTESTANTS[name][0] is vitcli:
        # as the program does, and its net
        from vitcli.machine.malloc import keep_freed_blocks
        from vitcli.machine.openmp import spin_briefly

        spin_briefly()
        keep_freed_blocks()
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(CORES if workers == 0 else 1)
    make, options = CONTESTANTS[name]
    epoch = make(root, workers, folder, **options)

    def step() -> None:
        shown = sum(len(batch) for batch in epoch())
        assert shown == images, f"{shown} images instead of {images}"

    return Job(step, lambda: None, "cpu")


def tell(outcome: Outcome, images: int, rounds: int, limit: float) -> None:
    """Print the figures, and each of ours over the base and over the best of the others."""
    for name, reason in outcome.left_out.items():
        print(f"  left out: {name}: {reason}")
    kept = max(map(len, outcome.turns.values()), default=0)
    print(f"  {kept} rounds kept of {rounds} wanted; {outcome.dropped} dropped: others burnt over {limit:g} core")
    if not kept:
        return
    rates = {name: [images / turn.seconds for turn in turns] for name, turns in outcome.turns.items()}
    for name, figures in rates.items():
        print(f"  {name:38} {spread(figures, 0):>24} img/s")
    peers = [name for name in rates if name.rpartition(", ")[0] not in OURS]
    if not peers:
        return
    best = max(peers, key=lambda name: statistics.median(rates[name]))
    base = next((name for name in peers if name.startswith(BASE)), best)
    for name in (name for name in rates if name not in peers):
        for rival in dict.fromkeys((base, best)):
            ratios = [mine / theirs for mine, theirs in zip(rates[name], rates[rival], strict=True)]
            print(f"  {name} / {rival}: {spread(ratios)}x")


def cut(source: Path, target: Path, count: int) -> None:
    """Pieces of photos, enlarged or shrunk to 2000 x 1500 pixels, as JPEG of quality 90."""
    from PIL import Image, ImageOps

    rng = random.Random(0)
    photos = [path for path in sorted(source.rglob("*")) if path.is_file()]
    for number in range(count):
        with Image.open(photos[number % len(photos)]) as opened:
            image = ImageOps.exif_transpose(opened.convert("RGB"))
        scale = min(image.width / CUT[0], image.height / CUT[1]) * rng.uniform(0.7, 1.0)
        left = rng.uniform(0, image.width - CUT[0] * scale)
        top = rng.uniform(0, image.height - CUT[1] * scale)
        box = (left, top, left + CUT[0] * scale, top + CUT[1] * scale)
        file = target / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.resize(CUT, Image.Resampling.BICUBIC, box=box).save(file, quality=90)


def chosen(root: Path, count: int, target: Path) -> None:
    """The first images of all classes alike in a folder of their own, as links where that is possible."""
    files = [sorted(path for path in folder.rglob("*") if path.is_file()) for folder in sorted(root.iterdir())]
    alternating = [path for row in itertools.zip_longest(*files) for path in row if path is not None]
    assert len(alternating) >= count, f"{root} holds {len(alternating)} images; ask for fewer with --images"
    for path in alternating[:count]:
        place = target / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, place)


def main() -> None:
    """Run the loaders asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--root", type=Path, required=True, help="folder of class folders of photos")
    add("--cut", type=Path, metavar="FOLDER", help="write 256 large pieces of the photos there, and stop")
    add("--images", type=int, default=1024, help="images an epoch, a multiple of 64 (1024)")
    add("--workers", type=int, nargs="+", default=[0, 1, 2], help="numbers of worker processes (0 1 2)")
    add("--only", nargs="+", default=[""], metavar="PART", help="only contestants with one of these in their name")
    add("--rounds", type=int, default=7, help="quiet rounds, of at most 4 times as many (7)")
    add("--limit", type=float, default=0.15, help="cores others may burn in a turn (0.15)")
    add("--kept", type=Path, default=Path("runs", "bench"), help="where indices and copies are kept (runs/bench)")
    add("--json", type=Path, metavar="FILE", help="write every kept round here")
    args = parser.parse_args()
    if args.cut:
        cut(args.root, args.cut, 256)
        return
    if args.images % BATCH:
        parser.error(f"--images {args.images}: must be a multiple of {BATCH}")
    args.kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.kept) as folder:
        chosen(args.root, args.images, Path(folder))
        measure(args, folder)


def measure(args: argparse.Namespace, root: str) -> None:
    """Let the loaders go through the images in turns, for each number of workers."""
    records = []
    for workers in args.workers:
        print(f"\n{args.root}, {args.images} images an epoch, {workers} workers, {CORES} cores", flush=True)
        present = {
            f"{name}, {workers} workers": (name, workers, root, args.images, str(args.kept))
            for name in CONTESTANTS
            if any(part in name for part in args.only)
        }
        outcome = interleave(present, prepare, args.rounds, 4 * args.rounds, args.limit, 300.0)
        tell(outcome, args.images, args.rounds, args.limit)
        records.append({"workers": workers, "images": args.images, **outcome._asdict()})
        keep(args.json, records)


if __name__ == "__main__":
    main()
