"""The light path: an exported ONNX file used through onnxruntime, by a process that never imports torch."""

from vitcli.light.predictor import OnnxPredictor as OnnxPredictor
