"""How the outputs of a model of rows are read: as a class, a value, an anomaly, or as they are. Pure."""

from edged.decode.rowfamilies import FAMILIES
from edged.decode.tabular.family import RowDecoder, RowEvidence, RowRecognition
from edged.decode.tabular.recognise import recognise_rows

__all__ = ["FAMILIES", "RowDecoder", "RowEvidence", "RowRecognition", "recognise_rows"]
