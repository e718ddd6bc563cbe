"""Verbs on what a training has made: evaluate, report, explain, import, export and serve."""

from __future__ import annotations

from vitcli.cli.usage.verb import Verb

RESULTS = {
    "evaluate": Verb(
        "vitcli.cli.verbs.evaluate",
        "say how good predictions are, and how sure that is, from their table alone",
        (
            "--split",
            "--compare",
            "--columns",
            "--costs",
            "--precision",
            "--recall",
            "--temperature",
            "--quarantine",
            "--out",
        ),
        (
            "vitcli evaluate runs/photos",
            "vitcli evaluate runs/photos --compare runs/photos-2",
            "vitcli evaluate runs/photos-fold1 runs/photos-fold2     (folds, or seeds, as one)",
            "vitcli evaluate theirs.csv --columns label=y,predicted=p",
        ),
        "TABLE is a run's folder (its table of test, else of val), or a .csv, .jsonl or .parquet with labels.\n"
        "Each number stands with the interval that holds the true one 95 times of 100.",
        positional="TABLE...",
        own=(
            ("--quarantine", "labels that look wrong, as a list for --data.quarantine, to be written"),
            ("--out", "a .json for all numbers"),
        ),
    ),
    "report": Verb(
        "vitcli.cli.verbs.report",
        "make one page of a run or a table: scores, mistakes, charts, data, settings",
        ("--compare", "--split", "--out", "--images", "--columns", "--explain"),
        (
            "vitcli report runs/photos",
            "vitcli report runs/photos --compare runs/photos-2 runs/photos-3",
            "vitcli report theirs.csv --columns label=y,predicted=p --out theirs",
        ),
        "RUN|TABLE is a run's folder (its table of test, else of val), or a .csv, .jsonl or .parquet.\n"
        "report.html is one file that loads nothing; each chart lies in report/ beside it as SVG and PNG.",
        positional="RUN|TABLE",
        own=(
            ("--compare", "other runs or tables of the same images, to be put beside it"),
            ("--out", "folder for report.html and report/; by default the run's, or TABLE-report beside the table"),
            ("--explain", "of a run: beside mistakes and unsure successes, where in the picture the answer comes from"),
        ),
    ),
    "explain": Verb(
        "vitcli.cli.verbs.explain",
        "show where in pictures the answers of a net come from",
        (
            "--ckpt_path",
            "--data.root",
            "--data.follow_links",
            "--out",
            "--methods",
            "--class",
            "--layers",
            "--most",
            "--check",
            "--device",
        ),
        (
            "vitcli explain runs/photos holiday/",
            "vitcli explain runs/photos holiday/*.jpg --methods all --class cat --layers",
            "vitcli explain runs/photos photos/val --check",
        ),
        "A sheet for each picture, with an overlay for each method; all numbers in maps.npz, and maps.csv says what is "
        "whose.\nOf more pictures than --most, some are taken, evenly spread.",
        positional="RUN IMAGES...",
        own=(
            ("--ckpt_path", "a run's folder, a .ckpt file, or a file of weights"),
            ("--data.root", "the folder of images, an archive, an image, a pattern, or several of them"),
            ("--out", "an empty folder for the maps; by default explain, explain-2, ... in the run's"),
            ("--methods", "attention, rollout, relevance, gradients, occlusion, or all; several with commas"),
            ("--class", "which class's answer is explained: its name, its number, or predicted"),
            ("--layers", "also the attention of each layer and head"),
            ("--most", "most pictures that are explained; 24, and 50 with --check"),
            ("--check", "instead of maps: which methods' maps are true, by deletion, insertion and pointing"),
            ("--device", "cpu, cuda or another of torch's; by default a GPU if there is one"),
        ),
    ),
    "import": Verb(
        "vitcli.cli.verbs.import_weights",
        "turn other people's weights into a file to start from",
        (
            "--out",
            "--source",
            "--heads",
            "--image_size",
            "--pool",
            "--norm_eps",
            "--activation",
            "--classes",
        ),
        ("vitcli import deit_tiny.safetensors --classes imagenet.txt --out deit_tiny_vitcli.safetensors",),
        "The file may be safetensors or torch's (tensors only), timm:NAME or torchvision:NAME.",
        positional="FILE --out FILE",
        own=(("--out", "the safetensors file to write"),),
    ),
    "export": Verb(
        "vitcli.cli.verbs.export",
        "write a trained net as a file that runs without vitcli",
        (
            "--ckpt_path",
            "--weights",
            "--out",
            "--to-timm",
            "--quantize",
            "--batch",
            "--temperature",
            "--threshold",
            "--images",
            "--max_changed",
        ),
        (
            "vitcli export runs/photos --out photos/model.onnx",
            "vitcli export runs/photos --out photos/int8.onnx --quantize int8",
            "vitcli export runs/photos --to-timm photos/model.safetensors",
        ),
        "Pixels go in and probabilities come out: preprocessing, classes and temperature are inside. The file is run\n"
        "on the images of val and compared with the net before it gets its name; a model card, README.md, is written\n"
        'beside it. An .onnx needs the extra: pip install "vitcli[onnx]".',
        positional="RUN|FILE --out FILE",
        own=(
            ("--weights", "weights to export: a file, a run's folder, timm:NAME or torchvision:NAME"),
            ("--out", "the file to write: .onnx, .pt2 or .safetensors"),
            ("--temperature", "by which logits are divided, 1 if not said; auto: the one that fits val"),
            ("--images", "folder, zip or tar of the val pictures, where they are elsewhere now"),
        ),
    ),
    "serve": Verb(
        "vitcli.cli.verbs.serve",
        "answer over HTTP: JSON for programs, and a page on which photos are dropped",
        (
            "--host",
            "--port",
            "--device",
            "--batch_size",
            "--map",
            "--temperature",
            "--threshold",
            "--tta",
            "--max_bytes",
            "--max_pixels",
            "--max_images",
            "--max_queue",
            "--timeout",
        ),
        (
            "vitcli serve runs/photos",
            "vitcli serve photos.onnx --port 8080",
            "curl --data-binary @photo.jpg http://127.0.0.1:8000/predict",
        ),
        "RUN|MODEL is a run's folder, a checkpoint, a file of weights, or an .onnx that vitcli export wrote.\n"
        "There are POST /predict, a page at /, /healthz and /metrics. SIGTERM and Ctrl-C let what was accepted be\n"
        "answered first. Only this machine is listened to, unless --host says otherwise.",
        positional="RUN|MODEL",
        own=(
            ("--host", "address to listen at; 127.0.0.1, which only this machine reaches"),
            ("--port", "its port; 8000, and 0 takes one that is free"),
            ("--device", "cpu, cuda or another of torch's; by default a GPU if there is one"),
            ("--batch_size", "images of all requests that go through the net at once; 32"),
            ("--map", "where an answer comes from, on the page: attention, rollout, relevance, ... or none"),
            ("--temperature", "by which logits are divided; auto: the one that fits val"),
            ("--threshold", "of two classes, the probability from which on the second one is predicted"),
            ("--tta", "flip: the mean of the answers to an image and its mirror image"),
            ("--max_bytes", "largest body of a request; 33554432"),
            ("--max_pixels", "larger images are not decoded; 50000000, and so many at a time"),
            ("--max_images", "most images of a request; 64"),
            ("--max_queue", "images of all requests that wait, before others get 429; by default up to 256"),
            ("--timeout", "seconds for a request, from its first byte to the last of its answer; 60"),
        ),
    ),
}
