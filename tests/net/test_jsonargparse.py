"""jsonargparse reads the constructors: a net from words and files, overlays that commute."""

from __future__ import annotations

import itertools

import pytest
import yaml
from jsonargparse import ArgumentParser

from vitcli.cli.built import built
from vitcli.net import Linformer, VanillaTransformer, ViT

pytestmark = pytest.mark.filterwarnings("ignore:.*costs more than it saves")


@pytest.fixture
def parser():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(ViT, "net")
    return parser


@pytest.fixture
def overlay(tmp_path):
    numbers = itertools.count()

    def write(**net):
        path = tmp_path / f"{next(numbers)}.yaml"
        path.write_text(yaml.safe_dump({"net": net}))
        return f"--config={path}"

    return write


def backend_of(config):
    backend = config.net.backend
    return backend.class_path, vars(backend.init_args)


SIZE = {"depth": 2, "heads": 4}


def test_the_default_is_the_vanilla_transformer(parser):
    net = built(parser, parser.parse_args([])).net
    assert type(net) is ViT
    assert type(net.backend) is VanillaTransformer
    assert (net.image_size, net.dim, net.backend.depth) == ((224, 224), 192, 12)


def test_the_command_line_chooses_the_backend_and_its_k(parser):
    config = parser.parse_args(["--net.backend", "Linformer", "--net.backend.k", "16", "--net.backend.depth", "2"])
    path, chosen = backend_of(config)
    assert path == "vitcli.net.Linformer"
    assert (chosen["k"], chosen["depth"]) == (16, 2)
    backend = built(parser, config).net.backend
    assert type(backend) is Linformer
    assert (backend.k, len(backend.blocks)) == (16, 2)


@pytest.mark.parametrize("spelling", ["--net.backend.depth", "--net.backend.init_args.depth"])
def test_depth_alone_reaches_the_default_backend(parser, spelling):
    config = parser.parse_args([spelling, "2"])
    assert config.net.backend.class_path == "vitcli.net.VanillaTransformer"
    assert len(built(parser, config).net.backend.blocks) == 2


def test_a_file_chooses_backend_and_sizes(parser, overlay):
    run = overlay(
        image_size=[64, 32], patch_size=16, dim=32, pool="mean", classes=2,
        backend={"class_path": "Linformer", "init_args": {"k": 3, **SIZE}},
    )  # fmt: skip
    net = built(parser, parser.parse_args([run])).net
    assert (net.image_size, net.patch_size, net.tokens, net.classes) == ((64, 32), (16, 16), 9, 2)
    assert net.backend.blocks[1].attention.project_keys.shape == (9, 3)


@pytest.mark.parametrize("backend", [{"init_args": SIZE}, SIZE])
def test_a_file_may_size_a_backend_without_naming_it(parser, overlay, backend):
    assert backend_of(parser.parse_args([overlay(backend=backend)]))[1].items() >= SIZE.items()


@pytest.mark.parametrize("vanilla", [{"class_path": "VanillaTransformer"}, "VanillaTransformer"])
def test_switching_back_keeps_shared_settings_and_drops_k(parser, overlay, vanilla):
    linformer = overlay(backend={"class_path": "Linformer", "init_args": {"k": 16, **SIZE}})
    path, chosen = backend_of(parser.parse_args([linformer, overlay(backend=vanilla)]))
    assert path == "vitcli.net.VanillaTransformer"
    assert chosen.items() >= SIZE.items()
    assert "k" not in chosen


def test_switching_forth_on_the_command_line_keeps_the_size_of_the_file(parser, overlay):
    size = overlay(backend={"class_path": "VanillaTransformer", "init_args": SIZE})
    path, chosen = backend_of(parser.parse_args([size, "--net.backend=Linformer", "--net.backend.k=3"]))
    assert path == "vitcli.net.Linformer"
    assert chosen.items() >= {"k": 3, **SIZE}.items()


@pytest.mark.parametrize("size", [{"init_args": SIZE}, SIZE])
def test_overlays_commute(parser, overlay, size):
    one, other = overlay(backend=size), overlay(backend={"class_path": "Linformer", "init_args": {"k": 3}})
    assert parser.parse_args([one, other]).net == parser.parse_args([other, one]).net


def test_what_is_dumped_parses_to_the_same_net(parser, tmp_path):
    config = parser.parse_args(["--net.backend=Linformer", "--net.backend.k=16", "--net.image_size=[64, 32]"])
    dumped = tmp_path / "dumped.yaml"
    dumped.write_text(parser.dump(config))
    assert parser.parse_args([f"--config={dumped}"]).net == config.net
    assert yaml.safe_load(dumped.read_text())["net"]["backend"]["class_path"] == "vitcli.net.Linformer"


def test_help_knows_both_backends_and_their_arguments(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["--net.backend.help=Linformer"])
    text = capsys.readouterr().out
    assert "Number of mixtures that keys and values are projected to" in " ".join(text.split())
    assert "tokens TOKENS" not in text


@pytest.mark.parametrize(("word", "k"), [("5", 5), ("[5, 3]", (5, 3))])
def test_k_is_one_number_or_one_for_each_layer(parser, word, k):
    words = ["--net.backend=Linformer", "--net.backend.depth=2", f"--net.backend.k={word}", "--net.backend.sharing=kv"]
    backend = built(parser, parser.parse_args(words)).net.backend
    assert (backend.k, backend.sharing) == (k, "kv")


def test_every_option_of_the_net_is_a_word(parser):
    words = [
        "--net.class_token=false", "--net.pool=attention", "--net.pool_score=additive", "--net.registers=2",
        "--net.positions=sincos", "--net.patch_bias=false", "--net.patch_norm=true", "--net.pre_norm=true",
        "--net.final_norm=after_pool", "--net.pre_logits=8", "--net.head_dropout=0.1", "--net.backend.depth=2",
        "--net.backend.layer_scale=1e-5", "--net.backend.qk_norm=true", "--net.backend.activation=quick_gelu",
        "--net.backend.out_proj=unbiased", "--net.backend.stochastic_depth=0.1",
        "--net.backend.activation_checkpointing=true",
    ]  # fmt: skip
    net = built(parser, parser.parse_args(words)).net
    settings = net.settings() | net.backend.settings()
    for word in words:
        key, value = word.split("=")
        name = key.rsplit(".", 1)[1]
        assert settings[name] == yaml.safe_load(value.replace("1e-5", "1.0e-5"))
