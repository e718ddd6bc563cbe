"""torchvision: its VisionTransformer, imported, computes torchvision's logits and gradients."""

from __future__ import annotations

import pytest

from vitcli.errors import WeightsError
from vitcli.weights import import_net

vision = pytest.importorskip("torchvision.models.vision_transformer")


def small(**chosen):
    sizes = {"image_size": 32, "patch_size": 8, "num_layers": 3, "num_heads": 4, "hidden_dim": 24, "mlp_dim": 50}
    return vision.VisionTransformer(**sizes, num_classes=5, **chosen)


@pytest.mark.parametrize("chosen", [{}, {"representation_size": 10}], ids=["plain", "pre-logits"])
def test_an_imported_net_computes_what_torchvision_computes(randomise, same, chosen):
    same(randomise(small(**chosen)), (32, 32), heads=4)


def test_the_names_of_the_published_files_are_known(randomise, same):
    peer = randomise(small())
    state = {
        name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): tensor
        for name, tensor in peer.state_dict().items()
    }
    same(peer, (32, 32), state=state, source="torchvision", heads=4)


def test_a_convolutional_stem_is_refused_by_name():
    stem = [vision.ConvStemConfig(out_channels=8, kernel_size=3, stride=2) for _ in range(3)]
    with pytest.raises(WeightsError, match=r"no ViT of torchvision has conv_proj\.conv_bn_relu_0\.0\.weight, "):
        import_net(small(conv_stem_configs=stem).state_dict(), heads=4)


def test_a_wrong_source_is_named():
    with pytest.raises(WeightsError, match=r"^weights: source timm, but these are names of torchvision: class_token, "):
        import_net(small().state_dict(), source="timm", heads=4)
    with pytest.raises(WeightsError, match=r"^weights: no source 'hf'; choose auto, timm, torchvision, vit_pytorch$"):
        import_net(small().state_dict(), source="hf", heads=4)


def test_another_architecture_is_refused():
    resnet = pytest.importorskip("torchvision.models").resnet18()
    for source in ("auto", "timm", "torchvision"):
        with pytest.raises(WeightsError, match=r"^weights: conv1\.weight, .* are no names of a ViT of timm, "):
            import_net(resnet.state_dict(), source=source)


@pytest.mark.parametrize("state", [{}, {"a": 1}, {"model": {"x": "y"}}, {"model": [1]}])
def test_what_holds_no_tensors_is_refused(state):
    with pytest.raises(WeightsError, match=r"^weights: .*(state dict|no tensor)"):
        import_net(state)
