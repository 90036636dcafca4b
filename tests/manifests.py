"""A ``model.toml`` with every key of a detector."""

CONTRACT = """
task = "detect"
family = "yolox"
labels = ["person", "bicycle"]
[input]
size = [416, 416]
color = "BGR"
layout = "NCHW"
scale = 1.0
mean = [0, 0, 0]
std = [1, 1, 1]
fit = "letterbox"
pad = 114
[output]
min_score = 0.25
iou = 0.45
max_detections = 300
[[golden]]
input = "golden/bus.jpg"
expect = [{ label = "bus", box = [10, 230, 800, 740] }]
"""
